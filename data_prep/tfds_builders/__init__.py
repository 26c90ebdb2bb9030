"""The preparations as TFDS builders: import a module, and `tfds.load` knows its dataset."""
