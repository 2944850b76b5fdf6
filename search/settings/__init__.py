"""The settings of a study: architectures and their space, training protocols, study files, seeds.

Except for `seeds` and `keras_settings` this is plain Python; reading commands import it.
"""
