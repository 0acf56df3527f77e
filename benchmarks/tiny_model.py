"""Makes benchmarks/tiny_model, a random model for engine benchmarks: `python -m benchmarks.tiny_model`.

One layer of 16 features, never trained, with the ontology of CoNLL04. Its entity head is fitted by least
squares to tell runs of capitalised words from other spans, so that mentions are mostly names, and the type of a pair is
one that the ontology allows; all else is random. Two biases are set by how many mentions and relations a sentence of
examples/corpus gets, so that AG News gets about as many as with models/conll04. What it says means nothing; how much
it finds, and how often a name comes back, is about right, and scoring costs little: the rest of the engine is measured.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.decode import decode
from kgmill.extractor.neural.checkpoint import Checkpoint, save_checkpoint
from kgmill.extractor.neural.config import TwoPhaseConfig
from kgmill.extractor.neural.encoding import collate
from kgmill.extractor.neural.spans import Spans
from kgmill.extractor.neural.two_phase import TwoPhaseModel
from kgmill.extractor.predict import Predictor
from kgmill.extractor.text.split import split_text
from kgmill.schemas.ontology import load_ontology

FOLDER = Path(__file__).with_name("tiny_model")
ONTOLOGY = Path("examples/conll04.ontology.toml")
MENTIONS_A_SENTENCE, RELATIONS_A_SENTENCE = 2.7, 1.2  # in examples/corpus, which is richer in names than AG News
MIN_CONFIDENCE = 0.4
_SEED = 1
_WORDS, _ENDINGS = 3000, 1500
_SHARPNESS = 30.0  # of logits, so that few spans and pairs are neither sure nor hopeless
_TEXTS = sorted(Path("examples/corpus").glob("*.txt"))


def main() -> None:
    """Writes the folder."""
    texts = [path.read_text(encoding="utf-8") for path in _TEXTS]
    sentences = [sentence.words for text in texts for sentence in split_text(text)]
    torch.manual_seed(_SEED)
    checkpoint = new_model(texts)
    fit_entities(checkpoint, sentences)
    biases = ((0, "is_entity", MENTIONS_A_SENTENCE), (1, "is_relation", RELATIONS_A_SENTENCE))
    for kind, layer, wanted in biases:
        bias = getattr(checkpoint.model, layer).bias

        def rate(value: float, bias: torch.nn.Parameter = bias, kind: int = kind) -> float:
            bias.data[1] = value
            return found(checkpoint, sentences)[kind]

        value = bisect(rate, wanted)
        print(f"{layer}: bias {value:.4f}, {rate(value):.3f} a sentence")
    shutil.rmtree(FOLDER, ignore_errors=True)
    ontology = ONTOLOGY.read_text(encoding="utf-8")
    save_checkpoint(checkpoint, FOLDER, ontology, torch.float16)


def new_model(texts: Iterable[str]) -> Checkpoint:
    """The model before its biases are set."""
    ontology = load_ontology(ONTOLOGY)
    vocabulary = word_pieces(texts)
    tokenizer = BertTokenizerFast(vocab={piece: i for i, piece in enumerate(vocabulary)}, do_lower_case=True)
    encoder = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=32,
        max_position_embeddings=256,
        initializer_range=0.1,
    )
    config = TwoPhaseConfig(
        encoder=encoder.to_diff_dict() | {"model_type": "bert"},
        entity_types=list(ontology.entity_names),
        relation_types=list(ontology.relation_names),
        languages=["en"],
        max_length=256,
        max_span_width=4,
        word_shape=True,
    )
    model = TwoPhaseModel(config, BertModel(encoder)).eval()
    with torch.no_grad():
        torch.nn.init.normal_(model.shape_embedding.weight, std=0.5)
        for fusion in (model.span_gate, model.pair_gate, model.relation_gate):
            for layer in fusion.maps.values():
                torch.nn.init.normal_(layer.weight, std=0.3)
        for layer in (model.entity_type, model.is_relation):
            torch.nn.init.normal_(layer.weight, std=_SHARPNESS)
        torch.nn.init.eye_(model.relation_gate.maps["types"].weight)
        torch.nn.init.eye_(model.relation_type.weight).mul_(_SHARPNESS)
        n_types, n_distances = len(ontology.entities), config.max_distance + 1
        features = model.feature_embedding.weight.view(n_types, n_types, n_distances, -1)
        features.zero_()
        for head in range(n_types):
            for tail in range(n_types):
                features[head, tail, :, : len(ontology.relations)] = 3.0 * torch.tensor(ontology.allowed[head][tail])
    return Checkpoint(model, tokenizer, ontology)


@torch.no_grad()
def fit_entities(checkpoint: Checkpoint, sentences: list[tuple[str, ...]]) -> None:
    """Sets the entity head to tell spans of capitalised words; and types to be those that take part in relations."""
    model, predictor = checkpoint.model, Predictor(checkpoint, torch.device("cpu"))
    windows = list(predictor.pieces.windows(sentences))
    features, targets = [], []
    for length, n_rows, indices in predictor.batches(windows):
        batch = collate([windows[i] for i in indices], predictor.pieces.pad_id, n_rows, length)
        spans = [
            (row, start, end, all(word[0].isupper() for word in sentences[windows[i].sentence][start:end]))
            for row, i in enumerate(indices)
            if windows[i].first_word == 0
            for start in range(windows[i].n_words)
            for end in range(start + 1, min(start + model.config.max_span_width, windows[i].n_words) + 1)
        ]
        rows, starts, ends, is_name = (torch.tensor(column) for column in zip(*spans, strict=True))
        features.append(model._represent_spans(model.encode(batch), Spans(rows, starts, ends)))
        targets.append(is_name)
    x_ND, is_name_N = torch.cat(features), torch.cat(targets)
    with_bias_ND = torch.cat((x_ND, torch.ones(len(x_ND), 1)), dim=1)
    weights_D = torch.linalg.lstsq(with_bias_ND, is_name_N.float().unsqueeze(1)).solution[:-1, 0]
    model.is_entity.weight[0] = 0.0
    model.is_entity.weight[1] = _SHARPNESS * weights_D
    logits_NE = x_ND[is_name_N] @ model.entity_type.weight.t()
    model.entity_type.weight.mul_(_SHARPNESS / logits_NE.std(dim=0).unsqueeze(1))
    model.entity_type.bias.copy_(-(x_ND[is_name_N] @ model.entity_type.weight.t()).mean(dim=0))
    is_in_relation_E = torch.tensor(checkpoint.ontology.allowed).flatten(2).any(dim=2)
    model.entity_type.bias[~(is_in_relation_E.any(dim=0) | is_in_relation_E.any(dim=1))] -= 10 * _SHARPNESS


def word_pieces(texts: Iterable[str]) -> list[str]:
    """A vocabulary: special tokens, characters, the commonest words and endings of the texts."""
    words = Counter(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))
    endings: Counter[str] = Counter()
    for word, n in words.items():
        for length in (2, 3, 4):
            if len(word) > length:
                endings[word[-length:]] += n
    characters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters)]
    pieces += _commonest(words, _WORDS) + [f"##{ending}" for ending in _commonest(endings, _ENDINGS)]
    return list(dict.fromkeys(pieces))


def _commonest(counts: Counter[str], n: int) -> list[str]:
    return sorted(counts, key=lambda item: (-counts[item], item))[:n]


def found(checkpoint: Checkpoint, sentences: list[tuple[str, ...]]) -> tuple[float, float]:
    """Mentions and relations a sentence."""
    predictor = Predictor(checkpoint, torch.device("cpu"))
    plain = Calibration()
    candidates = predictor.predict(sentences, plain.floors(MIN_CONFIDENCE))
    decoded = [decode(plain.apply(c), checkpoint.ontology, MIN_CONFIDENCE) for c in candidates]
    counts = [sum(len(result[kind]) for result in decoded) / len(sentences) for kind in (0, 1)]
    return counts[0], counts[1]


def bisect(rate: Callable[[float], float], wanted: float) -> float:
    """The bias at which a rate that grows with it is the wanted one."""
    low, high = -60.0, 60.0
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) < wanted else (low, middle)
    return high


if __name__ == "__main__":
    main()
