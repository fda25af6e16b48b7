"""Texts without padding: the same states and gradients as with it, and training that goes the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from codewm_lsp.errors import TrainingError
from codewm_model.data.batches import Dataset, generator
from codewm_model.data.repository_corpus import RepositoryCorpus, build, common_words, load, use
from codewm_model.networks.architectures.base import StateEncoder
from codewm_model.networks.code_world_model import CodeWorldModel, set_rounding
from codewm_model.networks.packed import PackedTexts
from codewm_model.settings.config import ArchitectureConfig, Config, TrainingConfig
from codewm_model.training.training_run import Run
from codewm_model.training.transition_stage import TransitionStage

CPU = torch.device("cpu")
STEPS = 20


@pytest.fixture(scope="module")
def corpus(history: Path, tmp_path_factory: pytest.TempPathFactory) -> RepositoryCorpus:
    return load(build(history, tmp_path_factory.mktemp("corpus"), edits=400))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Of a batch this small: several threads would do nothing but wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def texts(*lengths: int) -> PackedTexts:
    random = np.random.default_rng(0)
    ids = [random.integers(1, 600, length) for length in lengths]
    return PackedTexts.of(ids, [random.integers(0, 8, length) for length in lengths], CPU)


def encoder(name: str, loops: int) -> StateEncoder:
    torch.manual_seed(3)
    return CodeWorldModel(ArchitectureConfig(encoder=name, loops=loops)).state


def padded(network: StateEncoder, some: PackedTexts) -> Tensor:
    state: Tensor = network(*some.padded())
    return state


@pytest.mark.parametrize("rounded", [False, True], ids=["fp32", "int4"])
@pytest.mark.parametrize("name", ["reference", "paper1", "leworldmodel", "looped", "mlp", "mini-transformer"])
def test_states_and_gradients_are_those_with_padding(name: str, rounded: bool) -> None:
    network, some = encoder(name, loops=2), texts(7, 1, 30, 30, 12)
    set_rounding(network, rounded)
    found = []
    for encode in (lambda: network.packed(some), lambda: padded(network, some)):
        network.zero_grad(set_to_none=True)
        states = encode()
        (states * torch.linspace(-1, 1, states.numel()).reshape(states.shape)).sum().backward()
        gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
        found.append((states.detach(), gradients))
    (states, gradients), (expected, expected_gradients) = found
    torch.testing.assert_close(states, expected, rtol=1e-4, atol=1e-5)
    for weight, gradient in expected_gradients.items():
        own = gradients.get(weight, torch.zeros_like(gradient))  # a bias that a softmax cancels has none
        torch.testing.assert_close(own, gradient, rtol=1e-3, atol=1e-4, msg=weight)


def test_a_text_is_encoded_the_same_whatever_stands_beside_it() -> None:
    network, ids = encoder("reference", loops=1), [np.arange(1, 9), np.arange(20, 60), np.arange(5, 8)]
    together = network.packed(PackedTexts.of(ids, [own * 0 for own in ids], CPU))
    for row, own in enumerate(ids):
        alone = network.packed(PackedTexts.of([own], [own * 0], CPU))
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


def config(**training: object) -> Config:
    networks = ArchitectureConfig(encoder="reference", predictor="reference", predictor_loops=1)
    values = {
        "transition_batch": 4,
        "window": 2,
        "transition_steps": STEPS,
        "sibling_weight": 0.0,
        "decay": 0.99,
        "threads": 1,
    }
    return Config(networks, dataclasses.replace(TrainingConfig(), **{**values, **training}))


def losses(
    corpus: RepositoryCorpus, folder: Path, device: torch.device, *, padding: bool = False, **training: object
) -> tuple[list[float], list[Tensor]]:
    """Losses of twenty steps of the transition stage, and the weights after them."""
    settings = config(**training)
    torch.manual_seed(42)
    model = CodeWorldModel(settings.architecture).to(device)
    common = common_words([corpus])
    use([corpus], common)
    run = Run(model, settings, common, Dataset([corpus]), [], folder, lambda record: None, device=device)
    work = TransitionStage(run)
    if padding:
        for network in (model.state, work.target):
            network.packed = lambda some, network=network: padded(network, some)
    weights = [*model.state.parameters(), *model.transition.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=1e-4, fused=not padding)
    found = []
    for step in range(STEPS):
        torch.manual_seed(step)
        loss = torch.stack(list(work.losses(generator(42, "transition", step)).values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        work.after_step()
        found.append(float(loss.detach()))
    return found, [weight.detach().cpu() for weight in weights]


@pytest.mark.parametrize("target", ["ema", "none"])
def test_twenty_steps_go_as_they_did_with_padding(corpus: RepositoryCorpus, tmp_path: Path, target: str) -> None:
    settings = {"target": target, "sigreg_weight": 0.05 if target == "none" else 0.0}
    packed, weights = losses(corpus, tmp_path, CPU, **settings)
    before, weights_before = losses(corpus, tmp_path, CPU, padding=True, **settings)
    np.testing.assert_allclose(packed, before, rtol=1e-4)
    assert packed[-1] < packed[0], "it has learned something"
    assert max(float((a - b).abs().max()) for a, b in zip(weights, weights_before, strict=True)) < 3e-4


def test_it_trains_in_bf16(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    exact, _ = losses(corpus, tmp_path, CPU)
    rough, _ = losses(corpus, tmp_path, CPU, bf16=True)
    np.testing.assert_allclose(rough, exact, rtol=0.1)


def test_twenty_steps_on_a_gpu_are_those_on_the_cpu(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("NOT TESTED: this machine has no CUDA GPU, so nothing says that a GPU trains as the CPU does")
    here, _ = losses(corpus, tmp_path, CPU)
    there, _ = losses(corpus, tmp_path, torch.device("cuda"))
    np.testing.assert_allclose(there, here, rtol=0.05)  # the GPU encodes in bf16


def test_the_last_loop_read_is_the_state() -> None:
    network, some = encoder("reference", loops=3), texts(4, 9, 2)
    torch.testing.assert_close(network.every_loop(some)[:, -1], network.packed(some))


def test_earlier_loops_are_trained_to_predict_as_well(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    def loops_loss(loops: int) -> float:
        networks = ArchitectureConfig(encoder="reference", predictor="reference", loops=loops, predictor_loops=1)
        settings = Config(networks, dataclasses.replace(config().training, loop_weight=0.3))
        torch.manual_seed(42)
        model = CodeWorldModel(networks)
        run = Run(model, settings, common_words([corpus]), Dataset([corpus]), [], tmp_path, lambda record: None)
        return float(TransitionStage(run).losses(generator(1, "transition", 0))["loops"].detach())

    assert loops_loss(1) == 0
    assert 1.5 * loops_loss(2) < loops_loss(3), "two earlier loops, and two terms"


def test_an_encoder_that_cannot_be_read_after_every_loop_is_named(corpus: RepositoryCorpus, tmp_path: Path) -> None:
    settings = Config(training=dataclasses.replace(config().training, loop_weight=0.3))
    model = CodeWorldModel(settings.architecture)
    run = Run(model, settings, common_words([corpus]), Dataset([corpus]), [], tmp_path, lambda record: None)
    with pytest.raises(
        TrainingError, match="loop_weight needs an encoder that can be read after every loop, and 'looped' cannot"
    ):
        TransitionStage(run)


def test_paper_1_reads_a_tree_level_by_level() -> None:
    network, plain = encoder("paper1", loops=1), encoder("reference", loops=1)
    plain.load_state_dict(network.state_dict())
    ids, depths = np.arange(10, 16), np.array([0, 1, 2, 1, 2, 3])  # (10 (11 (12)) (13 (14 (15))))
    levels, deep = np.array([10, 11, 13, 12, 14, 15]), np.array([0, 1, 1, 2, 2, 3])
    expected = plain.packed(PackedTexts.of([levels], [deep], CPU))
    assert torch.equal(network.packed(PackedTexts.of([ids], [depths], CPU)), expected)
    assert not torch.allclose(plain.packed(PackedTexts.of([ids], [depths], CPU)), expected)


def test_paper_1_sees_seven_numbers_of_an_action() -> None:
    torch.manual_seed(3)
    predictor = CodeWorldModel(ArchitectureConfig(encoder="paper1", predictor="paper1")).transition
    state, action = torch.randn(4, 128), torch.rand(4, 15)
    other = torch.cat([action[:, :7], torch.rand(4, 8)], 1)
    torch.testing.assert_close(predictor(state, action), predictor(state, other), rtol=0, atol=0)
    assert not torch.allclose(predictor(state, action), predictor(state, action.flip(1)))
