"""The trainings of a study: a process for each, the store of their results, and the cluster that they run on."""
