"""What is known of Fashion-MNIST: its classes and its size, and how to recognise its files. Facts only, no code."""

NAME = "Fashion-MNIST"
CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# Their names in other languages than English, in the same order.
TRANSLATED_NAMES = {
    "ru": (
        "Футболка/топ",
        "Брюки",
        "Свитер",
        "Платье",
        "Пальто",
        "Сандалия",
        "Рубашка",
        "Кроссовка",
        "Сумка",
        "Ботинок",
    )
}
SIDE = 28  # pixels
IMAGE_SHAPE = (SIDE, SIDE, 1)
IMAGES = {"train": 60_000, "test": 10_000}

# The published files by split: images, then labels.
RAW_FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}

# sha256 of the pixels or labels in the published files, without their headers.
DIGESTS = {
    "train images": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "train labels": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "test images": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "test labels": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}

# Images per digit in MNIST, which has been served under Fashion-MNIST's address. Source: the published label files.
MNIST_CLASS_COUNTS = {
    (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
}
