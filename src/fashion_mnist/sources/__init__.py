"""Where data comes from: Fashion-MNIST, drawn garments, folders of images."""
