"""tracks.py - the table of the race: for each track its data, target and recipes.

A recipe is flags of `tapeformer train`, for both sides: PyTorch's side gets the values that tapeformer makes of them.
What tapeformer has no flag for stands beside them in `extras`. This is the one place where recipes are written down.
"""

from collections import namedtuple

# ours: our recipe. usual: the one that PyTorch's users take, and what belongs to it that is no flag.
Track = namedtuple("Track", "data target unit rule ours usual extras evaluations stops peer_steps goal")
# evaluations: of a run in PyTorch. stops: its runs end when they reach the target. peer_steps: its runs are timed for
# so many steps, without evaluations, and extrapolated. rule: (target - mean) sqrt(n) >= 3 deviations must hold.
DEFAULTS = dict(extras={}, rule=False, evaluations=20, stops=False, peer_steps=None, goal="")

# nanoGPT, README.md and train.py: no biases, tied embeddings that are not scaled, weight decay 0.1.
NANOGPT = (
    "--positions learned --activation gelu --no-bias --no-norm-bias --no-output-bias --tied --embedding-scale 1 "
    "--lr 0.001 --floor 0.1 --warmup 100 --beta2 0.99 --weight-decay 0.1"
)
NANOGPT_EXTRAS = {"init": "gpt2", "batches": "random", "marks": "false"}

# Wu, Cotterell and Hulden 2021, as example/transformer/trm-g2p.sh of github.com/shijie-wu/neural-transducer has it.
WU = (
    "--layers 4 --heads 4 --d-model 256 --ffn 1024 --dropout 0.3 --label-smoothing 0.1 --batch 400 --optimizer adam "
    "--lr 0.001 --beta2 0.98 --schedule inverse-sqrt --warmup 4000 --steps 20000"
)
PRONUNCIATION = dict(
    unit="% word error",
    ours="--preset g2p",
    usual=WU,
    evaluations=50,
    stops=True,
    goal="a fifth, and under 5 minutes on 2 cores",
)

ROWS = {
    "letters": dict(
        data="shakespeare",
        target=1.88,
        unit="nats per character",
        rule=True,
        ours="--layers 4 --heads 4 --d-model 64 --context 64 --batch 12 --positions rotary --dropout 0 "
        "--optimizer muon --zero-residual --lr 0.009 --beta2 0.99 --schedule wsd --decay 0.6 --warmup 20 --steps 360",
        usual="--layers 4 --heads 4 --d-model 128 --context 64 --batch 12 --dropout 0 --steps 2000 " + NANOGPT,
        extras=NANOGPT_EXTRAS,
        goal="a fifteenth",
    ),
    "letters-10m": dict(
        data="shakespeare",
        target=1.50,
        unit="nats per character",
        rule=True,
        ours="--layers 6 --heads 6 --d-model 384 --context 256 --batch 16 --positions rotary --dropout 0.2 "
        "--lr 0.001 --warmup 100 --beta2 0.99 --steps 1200",
        usual="--layers 6 --heads 6 --d-model 384 --context 256 --batch 64 --dropout 0.2 --steps 5000 " + NANOGPT,
        extras=NANOGPT_EXTRAS,
        peer_steps=20,
        goal="under 60 minutes on 2 cores",
    ),
    # The Annotated Transformer, example_simple_model: 20 epochs of 20 batches, no marks around sequences. Its rate is
    # 0.5 times Noam's.
    "copy": dict(
        data="copy",
        target=0,
        unit="% not exact",
        ours="--layers 1 --heads 4 --d-model 64 --ffn 256 --positions rotary --dropout 0 --batch 64 --lr 0.005 "
        "--warmup 30 --steps 400",
        usual="--layers 2 --heads 8 --d-model 512 --ffn 2048 --dropout 0.1 --batch 80 --steps 400 --clip 0 "
        "--optimizer adam --beta2 0.98 --schedule noam --lr 0.5 --warmup 400",
        extras={"init": "annotated", "marks": "false", "run.epsilon": "1e-9"},
        goal="a tenth",
    ),
    # The usual recipe: the defaults of `tapeformer train --task reverse`.
    "reverse": dict(
        data="reverse",
        target=1,
        unit="% not exact",
        ours="--layers 2 --heads 4 --d-model 64 --ffn 256 --positions rotary --dropout 0 --batch 64 --lr 0.003 "
        "--warmup 100 --steps 1600",
        usual="--layers 2 --heads 4 --d-model 128 --dropout 0 --batch 64 --lr 0.001 --steps 4710",
        goal="a fifth",
    ),
    "hungarian": dict(PRONUNCIATION, data="hun", target=2.5),
    "georgian": dict(PRONUNCIATION, data="geo", target=0.3),
}

TRACKS = {name: Track(**{**DEFAULTS, **row}) for name, row in ROWS.items()}


# ---- The ladder ----

# Rungs of a track: each adds its flags to those of the rungs before it; a flag that is given again replaces the first.
LADDER_TRACK = "letters"
LADDER = (
    ("AdamW, cosine, sinusoidal positions", "--layers 4 --heads 4 --d-model 64 --context 64 --batch 12 --dropout 0 "
     "--positions sinusoidal --lr 0.003 --beta2 0.99 --warmup 50 --steps 500"),
    ("rotary positions", "--positions rotary"),
    ("a linear fall over the last half", "--schedule wsd --decay 0.5"),
    ("Muon for the hidden matrices", "--optimizer muon"),
    ("sublayers that start at zero", "--zero-residual"),
)


# ---- Accuracies ----

# The files of a set: `dev` chooses the best model, `test` is measured once, on request. Without `dev`, a part of `train`
# is held out.
Set = namedtuple("Set", "files recipe")
PHONES = "--preset g2p"


def language(name):
    return Set({part: f"g2p/{name}_{part}.tsv" for part in ("train", "dev", "test")}, PHONES)


SIGMORPHON = ("arm_e", "fre", "geo", "hbs_latn", "hun", "jpn_hira", "kor")  # the languages of the task's mean
SETS = {name: language(name) for name in SIGMORPHON}
SETS["cmudict"] = Set({part: f"cmudict/{part}.tsv" for part in ("train", "dev")}, PHONES)
SETS["scan"] = Set(
    {part: f"scan/simple_{part}.tsv" for part in ("train", "test")},
    "--src-tokens words --tgt-tokens words --positions rotary --dropout 0 --steps 7000 --batch 64 --average 0.99",
)
