"""What a chapter has besides its text: a module with its experiment and its checkers.

`EXPERIMENT` says which runs it shows, `CHECKERS` grade its exercises, in their order.
"""

from lsmtl.lab.chapters import (
    ablations,
    base_networks,
    compendium,
    cost,
    deepdiff,
    engine,
    from_given_to_learned,
    gain,
    given_relations,
    learned_relations,
    linear_models,
    masked_low_rank,
    our_recipe,
    peptides,
    raw_to_tensors,
    relevance,
    rival_regularizers,
    significance,
    subspace_clustering,
    table_1,
    table_2,
    table_3,
    transcriptome,
    unlabelled_profiles,
    your_own_matrix,
)

_MODULES = (  # as the book has them
    transcriptome,
    raw_to_tensors,
    linear_models,
    base_networks,
    subspace_clustering,
    masked_low_rank,
    rival_regularizers,
    unlabelled_profiles,
    compendium,
    learned_relations,
    cost,
    engine,
    table_1,
    table_2,
    table_3,
    significance,
    relevance,
    ablations,
    gain,
    our_recipe,
    your_own_matrix,
    given_relations,
    peptides,
    from_given_to_learned,
    deepdiff,
)

EXPERIMENTS = {module.EXPERIMENT.name: module.EXPERIMENT for module in _MODULES}
CHECKERS = {
    f"{module.EXPERIMENT.name}.{number}": checker
    for module in _MODULES
    for number, checker in enumerate(module.CHECKERS, 1)
}
