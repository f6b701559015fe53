"""All that talks to MLflow: runs, the registered model, how it is served, and the state that runs are about."""
