# bash completion for tapeformer. Made by `make manual`.
_tapeformer()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-}
    local flags= words=
    if [ "$COMP_CWORD" = 1 ]; then
        COMPREPLY=($(compgen -W "train eval predict generate gradcheck info study import export trace help --help --version" -- "$word"))
        return
    fi
    if [ "$command" = study ]; then
        if [ "$COMP_CWORD" = 2 ]; then
            COMPREPLY=($(compgen -W "attention influence leaks masks curves --help" -- "$word"))
            return
        fi
        command="$command ${COMP_WORDS[2]}"
    fi
    case $command in
    "train")
        case $before in
        --task) COMPREPLY=($(compgen -W "copy reverse sort shift addition numbers dates" -- "$word")); return ;;
        --preset) COMPREPLY=($(compgen -W "demo g2p addition text" -- "$word")); return ;;
        --src-tokens) COMPREPLY=($(compgen -W "chars words" -- "$word")); return ;;
        --tgt-tokens) COMPREPLY=($(compgen -W "chars words" -- "$word")); return ;;
        --model) COMPREPLY=($(compgen -W "encoder-decoder encoder decoder" -- "$word")); return ;;
        --activation) COMPREPLY=($(compgen -W "relu gelu gelu-tanh silu gated-silu" -- "$word")); return ;;
        --norm) COMPREPLY=($(compgen -W "layer rms" -- "$word")); return ;;
        --positions) COMPREPLY=($(compgen -W "sinusoidal learned rotary none" -- "$word")); return ;;
        --matmul) COMPREPLY=($(compgen -W "float bf16" -- "$word")); return ;;
        --optimizer) COMPREPLY=($(compgen -W "adamw adam sgd" -- "$word")); return ;;
        --schedule) COMPREPLY=($(compgen -W "cosine constant inverse-sqrt noam" -- "$word")); return ;;
        --best-by) COMPREPLY=($(compgen -W "exact loss wer" -- "$word")); return ;;
        --pairs | --dev | --text | --from | --out | --resume) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --held-out | --context | --task-min | --task-max | --task-count | --d-model | --heads | --layers | --encoder-layers | --decoder-layers | --ffn | --max-length | --norm-eps | --embedding-scale | --dropout | --lr | --warmup | --floor | --weight-decay | --beta1 | --beta2 | --momentum | --clip | --label-smoothing | --average | --batch | --accumulate | --steps | --epochs | --eval-every | --eval-sources | --patience | --save-every | --seed | --threads | --stop-at) return ;;
        esac
        flags="--task --pairs --dev --text --from --preset --list-presets --src-tokens --tgt-tokens --held-out --context --task-min --task-max --task-count --model --d-model --heads --layers --encoder-layers --decoder-layers --ffn --max-length --activation --norm --post-norm --norm-eps --embedding-scale --positions --final-norm --no-final-norm --no-bias --no-norm-bias --no-output-bias --tied --dropout --matmul --optimizer --lr --schedule --warmup --floor --weight-decay --beta1 --beta2 --momentum --nesterov --clip --label-smoothing --average --batch --accumulate --steps --epochs --eval-every --eval-sources --best-by --patience --save-every --seed --threads --out --overwrite --resume --stop-at --quiet --help"
        ;;
    "eval")
        case $before in
        --task) COMPREPLY=($(compgen -W "copy reverse sort shift addition numbers dates" -- "$word")); return ;;
        --model | --pairs | --text) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --count | --task-min | --task-max | --seed | --beam | --length-penalty | --batch | --show | --threads) return ;;
        esac
        flags="--model --pairs --task --text --count --task-min --task-max --seed --beam --length-penalty --batch --show --threads --json --help"
        ;;
    "predict")
        case $before in
        --model) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --beam | --best | --length-penalty | --max-length | --batch | --threads) return ;;
        esac
        flags="--model --beam --best --length-penalty --scores --max-length --batch --threads --help"
        words=files
        ;;
    "generate")
        case $before in
        --model) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --prompt | --length | --temperature | --top-k | --top-p | --count | --seed | --threads) return ;;
        esac
        flags="--model --prompt --length --temperature --top-k --top-p --greedy --count --seed --threads --help"
        ;;
    "gradcheck")
        case $before in
        --op) COMPREPLY=($(compgen -W "add sub mul div pow neg scale exp log sqrt tanh erf sigmoid relu gelu silu matmul linear sum mean max reshape permute concat slice embedding softmax log_softmax layer_norm rms_norm dropout rotary attention masked_softmax masked_sum cross_entropy mse" -- "$word")); return ;;
        --draws | --seed | --tolerance | --threads) return ;;
        esac
        flags="--op --draws --seed --tolerance --threads --json --help"
        ;;
    "info")
        case $before in
        esac
        flags=" --help"
        words=files
        ;;
    "study attention")
        case $before in
        --which) COMPREPLY=($(compgen -W "cross encoder decoder all" -- "$word")); return ;;
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")); return ;;
        --model | --out | --pictures) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --source | --target | --pad | --layer | --head) return ;;
        esac
        flags="--model --source --target --pad --which --layer --head --out --pictures --color --help"
        ;;
    "study influence")
        case $before in
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")); return ;;
        --model | --out | --pictures) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --source | --target | --pad | --threads) return ;;
        esac
        flags="--model --source --target --pad --threads --out --pictures --color --help"
        ;;
    "study leaks")
        case $before in
        --model) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --source | --target | --pad | --seed | --threads) return ;;
        esac
        flags="--model --source --target --pad --seed --threads --help"
        ;;
    "study masks")
        case $before in
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")); return ;;
        --out | --pictures) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --length | --letters | --steps | --seed | --threads) return ;;
        esac
        flags="--length --letters --steps --seed --threads --out --pictures --color --help"
        ;;
    "study curves")
        case $before in
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$word")); return ;;
        --out | --pictures) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
        flags="--out --pictures --color --help"
        words=files
        ;;
    "import")
        case $before in
        --layout) COMPREPLY=($(compgen -W "pytorch gpt2" -- "$word")); return ;;
        --src-tokens) COMPREPLY=($(compgen -W "chars words" -- "$word")); return ;;
        --tgt-tokens) COMPREPLY=($(compgen -W "chars words" -- "$word")); return ;;
        --model) COMPREPLY=($(compgen -W "encoder-decoder encoder decoder" -- "$word")); return ;;
        --activation) COMPREPLY=($(compgen -W "relu gelu gelu-tanh silu gated-silu" -- "$word")); return ;;
        --norm) COMPREPLY=($(compgen -W "layer rms" -- "$word")); return ;;
        --positions) COMPREPLY=($(compgen -W "sinusoidal learned rotary none" -- "$word")); return ;;
        --out | --config | --src-vocab | --tgt-vocab) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --strip | --d-model | --heads | --layers | --encoder-layers | --decoder-layers | --ffn | --max-length | --norm-eps | --embedding-scale | --dropout) return ;;
        esac
        flags="--out --overwrite --layout --strip --config --src-vocab --tgt-vocab --src-tokens --tgt-tokens --model --d-model --heads --layers --encoder-layers --decoder-layers --ffn --max-length --activation --norm --post-norm --norm-eps --embedding-scale --positions --final-norm --no-final-norm --no-bias --no-norm-bias --no-output-bias --tied --dropout --help"
        words=files
        ;;
    "export")
        case $before in
        --layout) COMPREPLY=($(compgen -W "pytorch gpt2" -- "$word")); return ;;
        --model | --out | --src-vocab | --tgt-vocab) COMPREPLY=($(compgen -f -- "$word")); return ;;
        esac
        flags="--model --out --layout --src-vocab --tgt-vocab --help"
        ;;
    "trace")
        case $before in
        --model | --out) COMPREPLY=($(compgen -f -- "$word")); return ;;
        --source | --target | --pad | --threads | --tolerance) return ;;
        esac
        flags="--model --source --target --pad --out --plain --threads --compare --tolerance --common --help"
        words=files
        ;;
    esac
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
    if [ "$words" = files ] && [ "${word#-}" = "$word" ]; then
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _tapeformer tapeformer tapeformer64
