"""The seed of each imputation."""

import numpy as np


def imputation_seed(study_seed: int, imputation: int) -> int:
    """The seed of one imputation, from the study's seed and the number of the imputation alone.

    It is the first 32-bit word of the child `imputation` of `numpy.random.SeedSequence(study_seed)`. So it depends
    neither on how many imputations there are nor on how they are shared out among jobs: raising the number of
    imputations keeps those there are.

    `study_seed` and `imputation` are integers of 0 or more (ValueError otherwise); the result is an int in [0, 2**32).
    """
    sequence = np.random.SeedSequence(entropy=study_seed, spawn_key=(imputation,))
    return int(sequence.generate_state(1, dtype=np.uint32)[0])
