"""Run by the tests, alone or under torchrun: the losses and gradients of one step of every stage, to a file."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from codewm_model.data.batches import Dataset, generator
from codewm_model.data.repository_corpus import common_words, load, use
from codewm_model.networks.code_world_model import CodeWorldModel
from codewm_model.settings.config import PRESETS
from codewm_model.settings.stages import STAGES
from codewm_model.training.edit_stage import EditStage
from codewm_model.training.next_stage import NextStage
from codewm_model.training.parallel import average_gradients, group, processes, rank, share_weights
from codewm_model.training.predictor_stage import PredictorStage
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import TransitionStage


def main(corpus_folder: Path, output: Path) -> None:
    torch.set_num_threads(1)
    with group(torch.device("cpu")):
        corpus = load(corpus_folder)
        config = PRESETS["smoke"]
        torch.manual_seed(rank())  # every process has weights of its own, until the first one shares its
        model = CodeWorldModel(config.architecture)
        share_weights(model)
        common = common_words([corpus])
        use([corpus], common)
        run = Run(model, config, common, Dataset([corpus]), [], output.parent, report=lambda record: None)
        found = {"processes": torch.tensor(processes())}
        for stage, make in zip(STAGES, (TransitionStage, EditStage, NextStage, PredictorStage), strict=True):
            model.zero_grad(set_to_none=True)
            losses = make(run).losses(generator(7, stage, 0))
            torch.stack(list(losses.values())).sum().backward()
            average_gradients(model.parameters())
            found |= {f"{stage}/loss/{name}": value.detach() for name, value in losses.items()}
            found |= {
                f"{stage}/gradient/{name}": weight.grad.clone()
                for name, weight in model.named_parameters()
                if weight.grad is not None
            }
        if rank() == 0:
            torch.save(found, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
