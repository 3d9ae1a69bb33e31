"""Fisher merging and RegMean, and the statistics they stand on, against autograd and brute force."""

import numpy as np
import pytest
import torch

from hpo_bench.errors import MergeError
from hpo_bench.evaluation.calibration import statistics as calibration
from hpo_bench.evaluation.calibration.statistics import CalibrationSet
from hpo_bench.evaluation.examples import Example
from hpo_bench.merging.loaded import LoadedPair
from hpo_bench.merging.methods.fisher import Fisher
from hpo_bench.merging.methods.regmean import RegMean
from hpo_bench.merging.methods.vectors import TaskVectors

LAYER = "model.layers.1.mlp.down_proj.weight"
OTHER = "model.norm.weight"


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny(outputs: int = 5, inputs: int = 7) -> TaskVectors:
    shapes = {LAYER: (outputs, inputs), OTHER: (inputs,)}
    return TaskVectors(*({name: draw(*shape, seed=i) for name, shape in shapes.items()} for i in range(3)))


@pytest.fixture(scope="module")
def examples(questions: tuple[Example, ...]) -> tuple[Example, ...]:
    return questions[:3]


@pytest.fixture(scope="module")
def texts() -> tuple[Example, ...]:
    """Questions in words, of different lengths."""
    return (
        Example("t0", "skill", "cat これは何？", (), "ねこ"),
        Example("t1", "skill", "cat cat cat cat これは何の仲間？", (), "動物"),
        Example("t2", "skill", "apple これは動物ですか？", (), "いいえ"),
    )


class TestRegMean:
    def test_is_the_regression_on_both_models_outputs(self) -> None:
        vectors = tiny()
        inputs = [draw(30, 7, seed=s).double() for s in (5, 6)]
        weights = [(vectors.base[LAYER] + task[LAYER]).double() for task in (vectors.vlm, vectors.expert)]
        # Brute force: stack both models' inputs and outputs and fit one linear layer to all of them.
        outputs = torch.cat([x @ w.T for x, w in zip(inputs, weights, strict=True)])
        expected = np.linalg.lstsq(torch.cat(inputs).numpy(), outputs.numpy(), rcond=None)[0].T
        grams = [{LAYER: (x.T @ x / len(x)).float()} for x in inputs]
        merged = RegMean(*grams, alpha=1.0).merge(vectors)
        np.testing.assert_allclose(merged[LAYER].numpy(), expected, atol=1e-4)
        torch.testing.assert_close(
            merged[OTHER], vectors.base[OTHER] + (vectors.vlm[OTHER] + vectors.expert[OTHER]) / 2
        )

    def test_alpha_shrinks_the_off_diagonal(self) -> None:
        vectors = tiny()
        grams = [(x.T @ x / 30).double() for x in (draw(30, 7, seed=5), draw(30, 7, seed=6))]
        shrunk = [0.9 * g + 0.1 * torch.diag(g.diagonal()) for g in grams]
        tasks = [vectors.vlm[LAYER].double(), vectors.expert[LAYER].double()]
        expected = (tasks[0] @ shrunk[0] + tasks[1] @ shrunk[1]) @ torch.linalg.inv(shrunk[0] + shrunk[1])
        merged = RegMean(*({LAYER: g.float()} for g in grams)).merge(vectors)
        torch.testing.assert_close((merged[LAYER] - vectors.base[LAYER]).double(), expected, atol=1e-5, rtol=0)

    def test_survives_inputs_of_very_different_size_and_inputs_that_never_fire(self) -> None:
        vectors = tiny()
        size = torch.tensor([1e-4, 1, 1e3, 1, 1, 1, 0.0])
        inputs = [draw(30, 7, seed=s) * size for s in (5, 6)]
        merged = RegMean(*({LAYER: x.T @ x} for x in inputs)).merge(vectors)[LAYER] - vectors.base[LAYER]
        even = RegMean(*({LAYER: (x[:, :6] / size[:6]).T @ (x[:, :6] / size[:6])} for x in inputs))
        fewer = TaskVectors(*({LAYER: w[LAYER][:, :6]} for w in (vectors.base, vectors.vlm, vectors.expert)))
        # With inputs rescaled, so are weights: W diag(s) is what the rescaled regression sees.
        scaled = TaskVectors(
            {LAYER: fewer.base[LAYER] * size[:6]},
            {LAYER: fewer.vlm[LAYER] * size[:6]},
            {LAYER: fewer.expert[LAYER] * size[:6]},
        )
        expected = (even.merge(scaled)[LAYER] - scaled.base[LAYER]) / size[:6]
        torch.testing.assert_close(merged[:, :6], expected, atol=2e-3, rtol=2e-3)
        mean = (vectors.vlm[LAYER][:, 6] + vectors.expert[LAYER][:, 6]) / 2
        torch.testing.assert_close(merged[:, 6], mean, atol=1e-6, rtol=0)

    def test_too_few_inputs_are_refused_unless_alpha_helps(self) -> None:
        vectors = tiny()
        grams = [{LAYER: x.T @ x} for x in (draw(2, 7, seed=5), draw(2, 7, seed=6))]
        with pytest.raises(MergeError, match=r"down_proj.weight: the Gram matrix .* smaller alpha"):
            RegMean(*grams, alpha=1.0).merge(vectors)
        assert RegMean(*grams).merge(vectors)[LAYER].isfinite().all()

    def test_a_missing_layer_is_named(self) -> None:
        with pytest.raises(MergeError, match=rf"no Gram matrix of shape \(7, 7\) for the inputs of {LAYER}"):
            RegMean({}, {}).merge(tiny())


class TestFisher:
    def test_is_the_weighted_mean(self) -> None:
        vectors = tiny()
        one, two = ({name: draw(*w.shape, seed=s).square() for name, w in vectors.base.items()} for s in (7, 8))
        merged = Fisher(one, two).merge(vectors)

        def rms(fisher: dict[str, torch.Tensor]) -> float:
            return float(np.sqrt(np.mean(np.concatenate([f.double().numpy().ravel() for f in fisher.values()]) ** 2)))

        for name in vectors.base:
            a, b = one[name].double() / rms(one) + 1e-6, two[name].double() / rms(two) + 1e-6
            expected = (a * vectors.vlm[name] + b * vectors.expert[name]) / (a + b)
            torch.testing.assert_close((merged[name] - vectors.base[name]).double(), expected, atol=1e-5, rtol=0)

    def test_scale_of_either_model_does_not_matter_and_no_information_averages(self) -> None:
        vectors = tiny()
        one, two = ({name: draw(*w.shape, seed=s).square() for name, w in vectors.base.items()} for s in (7, 8))
        one[OTHER][0] = two[OTHER][0] = 0
        merged = Fisher(one, two).merge(vectors)
        again = Fisher({name: 100 * f for name, f in one.items()}, two).merge(vectors)
        for name in merged:
            torch.testing.assert_close(merged[name], again[name], atol=1e-5, rtol=0)
        mean = (vectors.vlm[OTHER][0] + vectors.expert[OTHER][0]) / 2
        torch.testing.assert_close(merged[OTHER][0] - vectors.base[OTHER][0], mean)

    def test_zero_information_is_refused(self) -> None:
        vectors = tiny()
        zero = {name: torch.zeros_like(w) for name, w in vectors.base.items()}
        with pytest.raises(MergeError, match="zero or not finite"):
            Fisher(zero, zero).merge(vectors)


class TestStatistics:
    @pytest.mark.parametrize("kind", ["examples", "texts"])
    def test_fisher_is_the_mean_of_squared_gradients_of_single_examples(
        self, loaded: LoadedPair, kind: str, request: pytest.FixtureRequest
    ) -> None:
        chosen: tuple[Example, ...] = request.getfixturevalue(kind)
        ours = calibration.fisher(loaded, loaded.expert, chosen)
        # Independently: torch.func, log-softmax written out, one functional call an example.
        state = {k: v.clone() for k, v in loaded.vlm.state_dict().items()}
        language = {ours_: loaded.expert[theirs] for ours_, theirs in loaded.names.items()}

        def log_likelihood(language: dict[str, torch.Tensor], inputs: dict, answer: int) -> torch.Tensor:
            logits = torch.func.functional_call(loaded.vlm, {**state, **language}, (), inputs).logits[0]
            odds = logits - torch.logsumexp(logits, -1, keepdim=True)
            tokens = inputs["input_ids"][0]
            return sum(odds[p - 1, tokens[p]] for p in range(len(tokens) - answer, len(tokens)))  # type: ignore

        gradients = [torch.func.grad(log_likelihood)(language, *calibration.encode(loaded, e)) for e in chosen]
        for name, theirs in loaded.names.items():
            expected = torch.stack([gradient[name].double().square() for gradient in gradients]).mean(0)
            largest = float(expected.max())
            np.testing.assert_allclose(ours[theirs].numpy(), expected.numpy(), rtol=1e-3, atol=1e-5 * largest)

    def test_a_batch_is_not_its_examples(self, loaded: LoadedPair, texts: tuple[Example, ...]) -> None:
        together = calibration.fisher(loaded, loaded.expert, texts)
        apart = [calibration.fisher(loaded, loaded.expert, [text]) for text in texts]
        for name in (LAYER, OTHER):
            torch.testing.assert_close(together[name], sum(each[name] for each in apart) / 3)

    def test_grams_are_of_what_the_layers_read(self, loaded: LoadedPair, texts: tuple[Example, ...]) -> None:
        ours = calibration.grams(loaded, loaded.expert, texts)
        assert set(ours) == set(TaskVectors.of(loaded).linear)
        # Independently: the head reads the last hidden states, layer 0's query reads the normalised embedding.
        loaded.write_language(loaded.expert)
        try:
            states = []
            with torch.no_grad():
                for text in texts:
                    inputs, _ = calibration.encode(loaded, text)
                    states.append(loaded.vlm.model(**inputs).last_hidden_state[0].double())
        finally:
            loaded.write_language(loaded.tuned)
        read = torch.cat(states)
        torch.testing.assert_close(ours["lm_head.weight"].double(), read.T @ read / len(read), rtol=1e-4, atol=1e-5)
        tokens = torch.cat([calibration.encode(loaded, text)[0]["input_ids"][0] for text in texts])
        rows = loaded.expert["model.embed_tokens.weight"][tokens].double()
        rows = rows / (rows.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        rows = rows * loaded.expert["model.layers.0.input_layernorm.weight"].double()
        query = ours["model.layers.0.self_attn.q_proj.weight"].double()
        torch.testing.assert_close(query, rows.T @ rows / len(rows), rtol=1e-4, atol=1e-5)

    def test_the_live_model_is_left_as_it_was(self, loaded: LoadedPair, examples: tuple[Example, ...]) -> None:
        loaded.write_language(loaded.tuned)
        before = {name: tensor.clone() for name, tensor in loaded.vlm.state_dict().items()}
        calibration.fisher(loaded, loaded.expert, examples[:1])
        calibration.grams(loaded, loaded.base, examples[:1])
        assert all(torch.equal(before[name], tensor) for name, tensor in loaded.vlm.state_dict().items())
        assert all(parameter.grad is None for parameter in loaded.vlm.parameters())
        assert not any(module._forward_pre_hooks for module in loaded.vlm.modules())

    def test_an_empty_set_is_refused(self, texts: tuple[Example, ...]) -> None:
        with pytest.raises(MergeError, match="no calibration examples for the VLM"):
            CalibrationSet(vlm=(), expert=texts, source="nowhere")
