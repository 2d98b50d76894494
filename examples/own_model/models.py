"""A Keras model of one's own, for `foldwatch run examples/own_model/search.toml`."""

import keras


def build(meta, units=32, dropout=0.0, normalised=False):
    """A network of one hidden layer; foldwatch compiles it with the optimizer and the learning rate of the search."""
    model = keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(units, activation="relu")])
    if normalised:
        model.add(keras.layers.BatchNormalization())
    model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    return model
