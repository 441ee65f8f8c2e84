# tapeformer: `make help` lists the targets.
#
# Variables:  PRECISION=float|double   CC=gcc|clang   CFLAGS, LDFLAGS of your own are kept

PRECISION ?= float
PREFIX    ?= /usr/local
OBJCOPY   ?= objcopy
CFLAGS    ?= -O3 -g
SANITIZE  ?=
RUNNER    ?=

LAYERS  := autograd nn data train study cli
VERSION := $(shell sed -n 's/^\#define AG_VERSION "\(.*\)"/\1/p' autograd/autograd.h)
SHELL   := /bin/sh
comma   := ,

# ---- what the compiler offers -------------------------------------------------------------------

accepts = $(shell printf 'int main(void){return 0;}' | $(CC) $(1) -Werror -x c - -o /dev/null 2>/dev/null && echo yes)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)

# `omp simd` lets a loop's sum be reordered where we say so; it needs no OpenMP run time.
SIMD_FLAG := $(if $(call accepts,-fopenmp-simd),-fopenmp-simd)

# The levels of the kernels; one binary holds all and chooses when it starts.
# `LEVELS=plain` builds the reference alone: it and all else is then strict C11 without
# vectors, attributes and intrinsics.
LEVELS := plain generic $(if $(filter x86_64%,$(MACHINE)),avx2 avx512) $(if $(filter aarch64% arm64%,$(MACHINE)),neon)
# Those that are compiled from kernels/simd, each with flags of its own.
SIMD_LEVELS := $(filter-out plain,$(LEVELS))
# The product alone, of numbers rounded to bfloat16: for processors and compilers that
# have its dot products.
ifneq ($(filter avx512,$(LEVELS)),)
  BF16_LEVEL := $(if $(filter float,$(PRECISION)),$(if $(call accepts,-mavx512bf16),bf16))
endif
# (a fused multiply-add rounds once; the flag lets a level use it. Levels plain and
# generic never do: they give the same bytes on every processor)
LEVEL_FLAGS_neon   := -ffp-contract=fast
LEVEL_FLAGS_avx2   := -mavx2 -mfma -ffp-contract=fast
LEVEL_FLAGS_avx512 := -mavx512f -mavx512dq -mavx512vl -mavx512bw -mavx2 -mfma -mprefer-vector-width=512 -ffp-contract=fast
LEVEL_FLAGS_bf16   := $(LEVEL_FLAGS_avx512) -mavx512bf16 -DKERNEL_LEVEL_avx512

# ---- flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -pedantic -Werror
# Two warnings of clang are off: a loop without vector code is no fault, and enums hold
# C's named constants, also those that meet doubles.
WARNINGS += $(if $(call accepts,-Wpass-failed),-Wno-pass-failed) $(if $(call accepts,-Wenum-float-conversion),-Wno-enum-float-conversion)
STANDARD := -std=c11 -D_POSIX_C_SOURCE=200809L
# -ffp-contract=off: only the options of a level may change the bits of results.
NUMBERS  := -fno-math-errno -fno-trapping-math -ffp-contract=off
# 32-bit x86: the old floating-point unit keeps more digits than a variable has.
NUMBERS  += $(if $(filter 1,$(shell echo __i386__ | $(CC) -E -P -x c - 2>/dev/null)),-msse2 -mfpmath=sse)
# gcc 12 for aarch64 crashes where it makes vector code of fmax over a loop's floats.
NUMBERS  += $(if $(filter aarch64% arm64%,$(MACHINE)),-fno-builtin-fmax -fno-builtin-fmin)
# Only the declarations of the public headers are visible from outside: they say so.
LINKAGE  := -fPIC -fvisibility=hidden
INCLUDES := $(addprefix -I,$(LAYERS) data/files study/report playground) -I.
ifeq ($(PRECISION),double)
  DEFINES := -DTAPEFORMER_DOUBLE
  SUFFIX  := 64
else ifneq ($(PRECISION),float)
  $(error PRECISION is float or double, not '$(PRECISION)')
endif
LEVEL_DEFINES := $(if $(SIMD_LEVELS),,-DTAPEFORMER_PLAIN) $(foreach level,$(SIMD_LEVELS) $(BF16_LEVEL),-DKERNEL_HAS_$(level))
PTHREAD  := -pthread
# WebAssembly's C library, WASI's, lacks threads, signals and more: wasm/ has what the
# sources need of them. The stack would be 64 KiB; it lies first in memory, where an
# overflow stops the program. WASI_SYSROOT is where the C library is: Debian's by default.
WASI_SYSROOT ?= /usr
WASI_INCLUDE ?= $(WASI_SYSROOT)/include/wasm32-wasi
WASM_CC      ?= clang --target=wasm32-wasi --sysroot=$(WASI_SYSROOT)
ifneq ($(filter wasm32%,$(MACHINE)),)
  PTHREAD :=
  LINKAGE := -fvisibility=hidden
  WASI    := $(addprefix -D_WASI_EMULATED_,SIGNAL MMAN GETPID)
  STANDARD += -msimd128 $(WASI) -nostdlibinc -Iwasm/include -isystem $(WASI_INCLUDE) -include wasm/wasi.h
  WASI_LIBS := $(addprefix -lwasi-emulated-,signal mman getpid) -Wl,-z,stack-size=4194304,--stack-first,--strip-all
endif
ALL_CFLAGS  = $(STANDARD) $(WARNINGS) $(INCLUDES) $(DEFINES) $(NUMBERS) $(LINKAGE) $(PTHREAD) $(SIMD_FLAG) $(SANITIZE) $(CFLAGS)
ALL_LDFLAGS = $(PTHREAD) $(SANITIZE) $(WASI_LIBS) $(LDFLAGS)

# ---- files --------------------------------------------------------------------------------------

# VARIANT keeps the objects of sanitizer and other builds apart; the plain build has none.
OUT     := build$(if $(VARIANT),/$(VARIANT))
NAME    := tapeformer$(SUFFIX)
OBJ     := $(OUT)/obj$(SUFFIX)
LIBRARY := $(OUT)/lib$(NAME).a
PUBLIC  := $(OUT)/public/lib$(NAME)
COMMAND := $(OUT)/$(NAME)
BENCH   := $(OUT)/bench$(SUFFIX)

# The public headers: programs include them, and only they are installed.
HEADERS  := autograd/real.h autograd/text.h autograd/random.h autograd/update.h autograd/autograd.h autograd/operation.h autograd/gradients.h nn/nn.h nn/generate.h data/files/files.h data/data.h train/optimizer.h train/evaluate.h train/train.h study/study.h study/report/report.h
INCLUDED := $(addprefix $(OUT)/include/tapeformer/,$(notdir $(HEADERS)))

# The command's manual page and completions are made by running it; the tarball of `make
# dist` carries them in docs/manual, for machines that cannot.
PAGES  := tapeformer.1 tapeformer.bash _tapeformer tapeformer.fish
MANUAL := $(if $(wildcard docs/manual/tapeformer.1),docs/manual,$(OUT)/manual$(SUFFIX))
MADE   := $(if $(wildcard docs/manual/tapeformer.1),,$(MANUAL)/made)

# The C sources in folders and their subfolders.
sources = $(wildcard $(foreach folder,$(1),$(folder)/*.c $(folder)/*/*.c $(folder)/*/*/*.c))
LEVEL_SOURCES := $(call sources,autograd/kernels/simd)
LIB_SOURCES   := $(filter-out $(LEVEL_SOURCES),$(call sources,$(filter-out cli,$(LAYERS)) $(if $(WASI),wasm)))
CLI_SOURCES   := $(wildcard cli/*.c)
BENCH_SOURCES := $(wildcard bench/*.c)
# The playground, without what only a page in a browser needs.
PLAYGROUND_SOURCES := $(filter-out playground/exports.c,$(wildcard playground/*.c))
EXAMPLE_SOURCES := $(wildcard examples/*.c)
TEST_SOURCES  := $(wildcard tests/*/test_*.c)
TEST_SHARED   := $(wildcard tests/util/*.c)
TEST_OBJECTS  := $(TEST_SOURCES:%.c=$(OBJ)/%.o)

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(OBJ)/%.o) \
               $(foreach level,$(SIMD_LEVELS),$(LEVEL_SOURCES:autograd/kernels/simd/%.c=$(OBJ)/kernels-$(level)/%.o)) \
               $(foreach level,$(BF16_LEVEL),$(addprefix $(OBJ)/kernels-$(level)/,product.o tile.o tile_narrow.o))
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(OBJ)/%.o)
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(OBJ)/%.o)
PLAYGROUND_OBJECTS := $(PLAYGROUND_SOURCES:%.c=$(OBJ)/%.o)
EXAMPLES    := $(EXAMPLE_SOURCES:examples/%.c=$(OUT)/examples$(SUFFIX)/%)
# The long tests of files and signals do not depend on the precision: once is enough.
ONCE        := test_cli_failing test_cli_signals
TESTS       := $(patsubst %,$(OUT)/tests$(SUFFIX)/%,$(filter-out $(if $(SUFFIX),$(ONCE)),$(basename $(notdir $(TEST_SOURCES)))))

.PHONY: all mpi wasm playground demo examples test test-programs one gradcheck-score asan ubsan tsan coverage test-builds test-cross test-wasm test-browser bench bench-page bench-wasm bench-peers race length accuracy ladder lint format install uninstall docs pictures page-pictures dist clean help libcheck FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(COMMAND) $(INCLUDED) $(MADE) ## build the command and the library (PRECISION=double: build/tapeformer64)

# V=1 shows the whole commands.
Q   := $(if $(V),,@)
SAY := @$(if $(V),: ,echo)

# ---- rules --------------------------------------------------------------------------------------

# Objects are rebuilt when the flags change.
FLAGS_TEXT := $(CC) $(ALL_CFLAGS) $(LEVELS) $(BF16_LEVEL)
$(OBJ)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(FLAGS_TEXT)' | cmp -s - $@ || printf '%s\n' '$(FLAGS_TEXT)' > $@
FORCE:

$(OBJ)/%.o: %.c $(OBJ)/flags
	@mkdir -p $(@D)
	$(SAY) '  CC    $<'
	$(Q)$(CC) $(ALL_CFLAGS) $(LEVEL_DEFINES) -MMD -MP -c $< -o $@

# Tests and bench replace the allocator, which shared libraries must be able to find.
$(OBJ)/tests/%.o $(OBJ)/bench/%.o: LINKAGE := -fPIC
$(OBJ)/tests/%.o: INCLUDES += -Itests/util

define level_rule
$(OBJ)/kernels-$(1)/%.o: autograd/kernels/simd/%.c $(OBJ)/flags
	@mkdir -p $$(@D)
	$$(SAY) '  CC    $$< ($(1))'
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(LEVEL_FLAGS_$(1)) -DKERNEL_LEVEL=$(1) -DKERNEL_LEVEL_$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach level,$(SIMD_LEVELS) $(BF16_LEVEL),$(eval $(call level_rule,$(level))))

$(LIBRARY): $(LIB_OBJECTS)
	@rm -f $@
	$(SAY) '  AR    $@'
	$(Q)$(AR) rcs $@ $^

# The library as it is installed. Static: one object, whose inner names cannot clash with
# a program's. Shared: the first number of its version changes when programs must be
# recompiled.
SONAME := lib$(NAME).so.$(firstword $(subst ., ,$(VERSION)))
SHARED := $(if $(call accepts,-shared -Wl$(comma)-soname$(comma)x),$(PUBLIC).so.$(VERSION))

# (section groups that several objects share must be merged before their names become
# local)
GROUPS_FLAG = $(if $(call accepts,-r -nostdlib -Wl$(comma)--force-group-allocation),-Wl$(comma)--force-group-allocation)
$(PUBLIC).a: $(LIB_OBJECTS)
	@mkdir -p $(@D) && rm -f $@
	$(SAY) '  AR    $@'
	$(Q)$(CC) -r -nostdlib $(GROUPS_FLAG) -o $(@:.a=.o) $^
	$(Q)$(OBJCOPY) --localize-hidden $(@:.a=.o)
	$(Q)$(AR) rcs $@ $(@:.a=.o)

# (nodelete: a program may close the library, but the pool's threads still run in its
# code)
$(PUBLIC).so.$(VERSION): $(LIB_OBJECTS)
	@mkdir -p $(@D)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,-z,defs,-z,nodelete $^ $(ALL_LDFLAGS) -lm -o $@

$(COMMAND): $(CLI_OBJECTS) $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(CLI_OBJECTS) $(LIBRARY) $(ALL_LDFLAGS) -lm -o $@

# The command with a `train` that runs in several processes. mpicc is told which compiler to
# call.
MPICC ?= mpicc
$(COMMAND)-mpi: mpi/main.c $(filter-out %/cli/main.o,$(CLI_OBJECTS)) $(LIBRARY)
	$(SAY) '  MPI   $@'
	$(Q)OMPI_CC='$(CC)' MPICH_CC='$(CC)' $(MPICC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) -lm -o $@

mpi: ## build/tapeformer-mpi: train in several processes, on one or more machines (docs/scale.md)
	@tests/need mpi
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND)-mpi

wasm: ## build/tapeformer.wasm: the command for any WASI host, such as node (docs/building.md)
	@WASM_CC='$(WASM_CC)' tests/need wasm
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=wasm CC='$(WASM_CC)' AR=llvm-ar build/wasm/$(NAME)
	@cp build/wasm/$(NAME) build/$(NAME).wasm

# The playground as a module of functions, which a page calls. It takes 256 MB at most: a
# browser's tab has no more to spare on small machines.
$(OUT)/playground.wasm: $(PLAYGROUND_OBJECTS) $(OBJ)/playground/exports.o $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) -mexec-model=reactor $^ $(ALL_LDFLAGS) -Wl,--max-memory=268435456 -lm -o $@

# The page: its parts, and the module compressed.
PAGE := playground/page
$(OUT)/bundle: $(PAGE)/bundle.c $(LIBRARY)
	$(SAY) '  CC    $<'
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) -lm -o $@
$(OUT)/playground.html: $(OUT)/bundle $(wildcard $(PAGE)/* $(PAGE)/*/*) FORCE
	@gzip -9nc build/wasm/playground.wasm > $(OUT)/playground.wasm.gz
	@cat $(PAGE)/script/page.js $(filter-out %/page.js,$(sort $(wildcard $(PAGE)/script/*.js))) > $(OUT)/playground.js
	@$(OUT)/bundle $(PAGE)/page.html CSS=$(PAGE)/page.css LESSONS=$(PAGE)/lessons.html FILES=$(PAGE)/worker/files.js WORKER=$(PAGE)/worker/worker.js SCRIPT=$(OUT)/playground.js MODULE=$(OUT)/playground.wasm.gz > $@
	@ls -l $@

playground: ## build/playground.html: train and mask models in a browser, one file without network
	@WASM_CC='$(WASM_CC)' tests/need wasm gzip
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=wasm CC='$(WASM_CC)' AR=llvm-ar build/wasm/playground.wasm
	@$(MAKE) --no-print-directory -j$(JOBS) build/playground.html

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# The public headers as they are installed: a program writes #include
# <tapeformer/autograd.h>, and each header finds the others beside itself.
define header_rule
$(OUT)/include/tapeformer/$(notdir $(1)): $(1)
	@mkdir -p $$(@D)
	@cp $$< $$@
endef
$(foreach header,$(HEADERS),$(eval $(call header_rule,$(header))))

# The examples see only the public headers and names, as a user's program does.
$(OUT)/examples$(SUFFIX)/%: examples/%.c $(PUBLIC).a $(INCLUDED) $(OBJ)/flags
	@mkdir -p $(@D)
	$(SAY) '  EXAMPLE $<'
	$(Q)$(CC) $(filter-out -I%,$(ALL_CFLAGS)) -I$(OUT)/include $< $(PUBLIC).a $(ALL_LDFLAGS) -lm -o $@

examples: $(EXAMPLES) ## the programs of examples/, to build/examples

# ---- tests --------------------------------------------------------------------------------------

CHECK_LIBS = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck -lsubunit -lrt -lpthread)
# Calls of the C library that go through tests/util: allocations are counted, for the
# bench too, tests make the n-th allocation or file call fail, and libcheck's marks are
# thinned out.
wrap  = $(patsubst %,-Wl$(comma)--wrap=%,$(1))
WRAP := $(call wrap,malloc calloc realloc posix_memalign free)
FILE_CALLS := open openat read write pwrite fsync ftruncate fstat fchmod fchown flock mmap stat lstat access mkdir mkstemp \
              rename unlink unlinkat opendir readdir fopen open_memstream fflush close fclose

# The command's objects, for tests that run commands, or call their functions, in-process.
PARTS := $(filter-out $(OBJ)/cli/main.o,$(CLI_OBJECTS))
HOLD_PARTS := $(addprefix $(OUT)/tests$(SUFFIX)/,test_cli_failing test_cli_arguments)
$(HOLD_PARTS): $(PARTS)
$(HOLD_PARTS): COMMAND_PARTS := $(PARTS)
# And the playground's.
PLAYGROUND_TESTS := $(addprefix $(OUT)/tests$(SUFFIX)/,$(basename $(notdir $(wildcard tests/playground/test_*.c))))
$(PLAYGROUND_TESTS): $(PLAYGROUND_OBJECTS)
$(PLAYGROUND_TESTS): COMMAND_PARTS := $(PLAYGROUND_OBJECTS)

# All test programs go to one folder: their names are unique.
define test_rule
$(OUT)/tests$(SUFFIX)/$(basename $(notdir $(1))): $(1) $(TEST_SHARED:%.c=$(OBJ)/%.o) $(LIBRARY)
	@mkdir -p $$(@D)
	$$(SAY) '  LINK  $$@'
	$$(Q)$$(CC) $$< $(TEST_SHARED:%.c=$(OBJ)/%.o) $$(COMMAND_PARTS) $(LIBRARY) $$(ALL_LDFLAGS) $$(WRAP) $$(call wrap,$$(FILE_CALLS) _mark_point) $$(CHECK_LIBS) -lm -o $$@
endef
$(foreach object,$(TEST_OBJECTS),$(eval $(call test_rule,$(object))))

libcheck:
	@tests/need libcheck locale

# What tests/run-tests and the tests read from their environment.
TOLD := TAPEFORMER='$(strip $(RUNNER) $(abspath $(COMMAND)))' BENCH='$(strip $(RUNNER) $(abspath $(BENCH)))' RUNNER='$(RUNNER)' MANUAL='$(MANUAL)' EXAMPLES=$(abspath $(OUT)/examples$(SUFFIX)) \
        CC='$(CC)' OBJECTS='$(LIB_OBJECTS)' COMMAND_OBJECTS='$(CLI_OBJECTS)' PLAYGROUND_OBJECTS='$(PLAYGROUND_OBJECTS)' MAKE_COMMAND='$(MAKE) --no-print-directory -s'

test-programs: $(TESTS) $(COMMAND) $(BENCH) $(EXAMPLES) $(if $(SANITIZE),,$(PUBLIC).a $(SHARED) $(MADE))
	@$(TOLD) tests/run-tests $(TESTS) $(if $(SANITIZE)$(RUNNER),,tests/project/test_manual tests/project/test_docs tests/project/test_python tests/project/test_race tests/project/test_formats tests/project/test_install tests/project/test_symbols tests/project/test_circles) $(if $(SANITIZE)$(RUNNER)$(SUFFIX),,tests/project/test_mpi)

# (a program, or a script of tests/project)
ONE = $(or $(wildcard tests/project/$(T)),$(RUNNER) $(OUT)/tests$(SUFFIX)/$(T))
one: ## one test: make one T=test_random
	@$(MAKE) --no-print-directory $(if $(wildcard tests/project/$(T)),$(COMMAND) $(MADE),$(OUT)/tests$(SUFFIX)/$(T)) $(if $(filter test_cli%,$(T)),$(COMMAND)) $(if $(filter test_bench test_python,$(T)),$(BENCH)) $(if $(filter test_examples,$(T)),$(EXAMPLES)) $(if $(filter test_circles,$(T)),$(OUT)/ask$(SUFFIX))
	@$(TOLD) CK_DEFAULT_TIMEOUT=$${CK_DEFAULT_TIMEOUT:-120} $(ONE)

JOBS := $(shell nproc 2>/dev/null || echo 2)

test: libcheck ## every test, in both precisions
	@$(MAKE) --no-print-directory -j$(JOBS) PRECISION=float test-programs
	@$(MAKE) --no-print-directory -j$(JOBS) PRECISION=double test-programs

gradcheck-score: libcheck ## how many planted faults each gradient check finds, by kind of fault (docs/gradients.md)
	@$(MAKE) --no-print-directory -j$(JOBS) one T=test_gradcheck_score PRECISION=double
	@$(MAKE) --no-print-directory -j$(JOBS) one T=test_gradcheck_score PRECISION=float

# What test_page asks natively.
$(OUT)/ask$(SUFFIX): $(OBJ)/tests/playground/ask.o $(PLAYGROUND_OBJECTS) $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $^ $(ALL_LDFLAGS) -lm -o $@

test-wasm: ## the WebAssembly builds under node: the native bytes; the playground's page
	@WASM_CC='$(WASM_CC)' tests/need wasm node
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND) $(OUT)/ask$(SUFFIX)
	@$(MAKE) --no-print-directory wasm
	@$(MAKE) --no-print-directory playground
	@$(TOLD) OTHER='node $(abspath wasm/run.mjs build/$(NAME).wasm)' ASK=$(abspath $(OUT)/ask$(SUFFIX)) PAGE=$(abspath build/playground.html) \
		tests/run-tests tests/project/test_same_bytes tests/project/test_wasm tests/project/test_page

# Needs node, and Chromium or Firefox.
test-browser: ## reports and the playground in browsers; pictures of the playground go to build/browser
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND) $(OUT)/tests$(SUFFIX)/test_study_html
	@$(MAKE) --no-print-directory playground
	@tests/browser/run $(COMMAND) $(OUT)/tests$(SUFFIX)/test_study_html $(OUT)/browser build/playground.html

# ---- the demo -----------------------------------------------------------------------------------

DEMO := $(OUT)/demo

# Builds on all cores first: else a first `make demo` would mostly compile.
demo: ## train on `reverse`, decode unseen examples, draw the cross-attention
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND)
	@rm -rf $(DEMO)
	$(COMMAND) train --preset demo --out $(DEMO)
	$(COMMAND) eval --model $(DEMO) --task reverse --task-min 3 --task-max 10 --show 8
	$(COMMAND) study attention --model $(DEMO) --source tapeformer --which cross

# ---- the bench ----------------------------------------------------------------------------------

# The bench counts allocations as the tests do, and can open a BLAS library to compare
# with.
DLOPEN_LIB = $(if $(call accepts,-ldl),-ldl)
$(BENCH): $(BENCH_OBJECTS) $(OBJ)/tests/util/allocations.o $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $(BENCH_OBJECTS) $(OBJ)/tests/util/allocations.o $(LIBRARY) $(ALL_LDFLAGS) $(WRAP) $(DLOPEN_LIB) -lm -o $@

bench: ## training steps, products, attention, generation, beside the machine's peak (bench/README.md); BUSY=1: steps on a busy machine
	@$(MAKE) --no-print-directory -j$(JOBS) $(BENCH)
	@$(BENCH) $(if $(BUSY),--busy)

bench-page: ## the playground in Chromium: the time to 99 % of reverse, the first paint, pictures a second
	@$(MAKE) --no-print-directory playground
	@node bench/page.mjs build/playground.html

bench-peers: ## PyTorch, JAX, OpenBLAS and CTranslate2 on the same work, in turn, where they are installed; PEERS='--config toy --threads 1'
	@$(MAKE) --no-print-directory -j$(JOBS) $(BENCH) $(COMMAND)
	@$(or $(PYTHON),python3) bench/peers/run.py --bench $(BENCH) $(PEERS)
	@$(if $(PEERS),,$(or $(PYTHON),python3) bench/peers/ctranslate2_generate.py --bench $(BENCH) --command $(COMMAND))

race: ## minutes to a known quality, here and in PyTorch: DATA=DIR, TRACKS='letters copy', THREADS=1, SEEDS=2, FRESH=1 (bench/README.md)
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND)
	@$(or $(PYTHON),python3) bench/race/race.py --command $(COMMAND) $(if $(DATA),--data $(DATA)) $(if $(TRACKS),--tracks $(TRACKS)) \
	    $(if $(THREADS),--threads $(THREADS)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SIDES),--sides $(SIDES)) \
	    $(if $(PEER_STEPS),--peer-steps $(PEER_STEPS)) $(if $(FRESH),--fresh)

$(OUT)/length$(SUFFIX): $(OBJ)/bench/length/draw.o $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $< $(LIBRARY) $(ALL_LDFLAGS) -lm -o $@

# What build/length-runs holds already is not computed again. The seeds without SEEDS are those of docs/length.md, whose
# pictures PICTURES=docs/pictures writes anew.
LENGTH_RUNS     = build/length-runs
LENGTH_PICTURES = $(or $(PICTURES),$(LENGTH_RUNS))
length: ## docs/length.md: kinds of positions on longer examples than they were trained on, about half an hour; SEEDS=3
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND) $(OUT)/length$(SUFFIX)
	@bench/length/run $(COMMAND) $(LENGTH_RUNS) copy $(or $(SEEDS),3)
	@bench/length/run $(COMMAND) $(LENGTH_RUNS) reverse $(or $(SEEDS),2)
	@bench/length/run $(COMMAND) $(LENGTH_RUNS) addition $(or $(SEEDS),1)
	@$(OUT)/length$(SUFFIX) 'copy, trained on 1 to 16 letters' $(LENGTH_RUNS)/copy.tsv $(LENGTH_PICTURES)/length-copy.svg
	@$(OUT)/length$(SUFFIX) 'reverse, trained on 1 to 16 letters' $(LENGTH_RUNS)/reverse.tsv $(LENGTH_PICTURES)/length-reverse.svg
	@$(OUT)/length$(SUFFIX) 'addition, trained on 1 to 3 digits' $(LENGTH_RUNS)/addition.tsv $(LENGTH_PICTURES)/length-addition.svg

ladder: ## which choices shorten the way to a quality, one after the other: DATA=DIR, SEEDS=3 (bench/README.md)
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND)
	@$(or $(PYTHON),python3) bench/race/ladder.py --command $(COMMAND) --data '$(DATA)' $(if $(SEEDS),--seeds $(SEEDS)) \
	    $(if $(THREADS),--threads $(THREADS))

accuracy: ## word error on published data, one recipe: DATA=DIR, SETS='hun geo', SEEDS=5, TEST=1 (bench/README.md)
	@$(MAKE) --no-print-directory -j$(JOBS) $(COMMAND)
	@$(or $(PYTHON),python3) bench/race/accuracy.py --command $(COMMAND) --data '$(DATA)' $(if $(SETS),--sets $(SETS)) \
	    $(if $(SEEDS),--seeds $(SEEDS)) $(if $(THREADS),--threads $(THREADS)) $(if $(TEST),--test)

$(OUT)/product$(SUFFIX): $(OBJ)/bench/wasm/product.o $(LIBRARY)
	$(SAY) '  LINK  $@'
	$(Q)$(CC) $< $(LIBRARY) $(ALL_LDFLAGS) -lm -o $@

bench-wasm: ## products of 64 x 64 x 64 as WebAssembly under node, beside the native level generic
	@WASM_CC='$(WASM_CC)' tests/need wasm node
	@$(MAKE) --no-print-directory -j$(JOBS) $(OUT)/product$(SUFFIX)
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=wasm CC='$(WASM_CC)' AR=llvm-ar build/wasm/product$(SUFFIX)
	@bench/wasm/run $(OUT)/product$(SUFFIX) build/wasm/product$(SUFFIX)

# ---- sanitizers and coverage --------------------------------------------------------------------

# All sanitizers stop at the first report.
SANITIZED = $(MAKE) --no-print-directory -j$(JOBS) CFLAGS='-O1 -g -fno-omit-frame-pointer' SANITIZE='-fsanitize=$(1) -fno-sanitize-recover=all'

asan: libcheck ## the tests under the address and leak sanitizer
	@$(call SANITIZED,address) VARIANT=asan test-programs
ubsan: libcheck ## the tests under the undefined-behaviour sanitizer
	@$(call SANITIZED,undefined) VARIANT=ubsan test-programs
tsan: libcheck ## the tests under the thread sanitizer
	@TSAN_OPTIONS=die_after_fork=0 $(call SANITIZED,thread) VARIANT=tsan test-programs

coverage: libcheck ## the tests with line coverage: a table, and build/coverage/*.gcov
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=coverage CFLAGS='-O0 -g' SANITIZE=--coverage test-programs
	@tests/coverage-table build/coverage

# ---- other builds -------------------------------------------------------------------------------

test-builds: ## level plain alone, the tarball; clang, musl, 32-bit, aarch64, with the same bytes: what of these there is
	@tests/builds

# ---- other machines -----------------------------------------------------------------------------

# The prefix of a cross compiler, and the emulator for its programs. docs/building.md says
# how to get libcheck for it.
CROSS  := aarch64-linux-gnu
CROSS_RUNNER := qemu-$(firstword $(subst -, ,$(CROSS))) -L /usr/$(CROSS)
test-cross: ## the tests on an emulated processor: make test-cross CROSS=aarch64-linux-gnu LDFLAGS=-Lwhere-libcheck-is
	@CK_TIMEOUT_MULTIPLIER=30 $(MAKE) --no-print-directory -j$(JOBS) CC=$(CROSS)-gcc AR=$(CROSS)-ar OBJCOPY=$(CROSS)-objcopy \
	    VARIANT=$(CROSS) RUNNER='$(CROSS_RUNNER)' CHECK_LIBS='-lcheck -lrt -lpthread' test-programs

# ---- tidiness -----------------------------------------------------------------------------------

C_FILES = $(wildcard $(foreach folder,$(LAYERS) mpi tests bench examples,$(addprefix $(folder)/,*.[ch] */*.[ch] */*/*.[ch])))

lint: $(INCLUDED) ## cppcheck and clang-tidy, where they are installed
	@tests/lint $(INCLUDES) -I$(OUT)/include $(DEFINES) -- $(C_FILES)
format: ## clang-format all sources in place
	@clang-format -i $(C_FILES) $(wildcard wasm/*.[ch] wasm/*/*.h)

# ---- installing ---------------------------------------------------------------------------------

BIN     := $(DESTDIR)$(PREFIX)/bin
LIB     := $(DESTDIR)$(PREFIX)/lib
INCLUDE := $(DESTDIR)$(PREFIX)/include/tapeformer
MAN     := $(DESTDIR)$(PREFIX)/share/man
BASH    := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH     := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISH    := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

# The files that install writes and uninstall removes.
INSTALLED = $(BIN)/$(NAME) $(LIB)/lib$(NAME).a $(if $(SHARED),$(addprefix $(LIB)/,lib$(NAME).so lib$(NAME).so.$(VERSION) $(SONAME))) \
            $(LIB)/pkgconfig/$(NAME).pc
# Headers, manual and completions serve both precisions, and are removed with the last
# one.
COMMON = $(addprefix $(INCLUDE)/,$(notdir $(HEADERS))) $(MAN)/man1/tapeformer.1 $(MAN)/man3/tapeformer.3 \
         $(BASH)/tapeformer $(ZSH)/_tapeformer $(FISH)/tapeformer.fish

# For pkg-config. Programs link libm themselves. Only static programs need -pthread: the
# shared library brings it.
$(OUT)/public/$(NAME).pc: Makefile autograd/autograd.h $(OBJ)/flags FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	    'Name: $(NAME)' 'Description: a small trainable transformer with its own autograd, $(PRECISION) numbers' \
	    'Version: $(VERSION)' 'Cflags: -I$${includedir} $(DEFINES)' \
	    'Libs: -L$${libdir} -l$(NAME) -lm' 'Libs.private: -pthread' > $@

docs: ## build/docs/html: the headers and the documents, rendered by Doxygen
	@rm -rf build/docs && mkdir -p build/docs
	@VERSION=$(VERSION) doxygen docs/Doxyfile

page-pictures: ## docs/pictures: those of the playground taken again, in Chromium
	@$(MAKE) --no-print-directory playground
	node docs/pictures/playground.mjs build/playground.html
pictures: $(COMMAND) ## docs/pictures: drawn again by the command
	@$(MAKE) --no-print-directory PRECISION=double $(OUT)/tapeformer64
	docs/pictures/make $(COMMAND)

# (no stamp if the command does not run here: the next make tries again)
$(MANUAL)/made: $(COMMAND) docs/manual/make $(wildcard docs/manual/*.awk)
	@mkdir -p $(@D)
	$(SAY) '  MANUAL $(@D)'
	@docs/manual/make $(@D) $(RUNNER) $(COMMAND)
	@[ ! -e $(@D)/tapeformer.1 ] || touch $@

install: $(COMMAND) $(PUBLIC).a $(SHARED) $(OUT)/public/$(NAME).pc $(MADE) ## command, libraries, headers, manual below PREFIX (/usr/local), DESTDIR before it
	install -d $(BIN) $(LIB)/pkgconfig $(INCLUDE) $(MAN)/man1 $(MAN)/man3 $(BASH) $(ZSH) $(FISH)
	install -m 755 $(COMMAND) $(BIN)
	install -m 644 $(PUBLIC).a $(LIB)
ifneq ($(SHARED),)
	install -m 755 $(SHARED) $(LIB)
	ln -sf $(notdir $(SHARED)) $(LIB)/$(SONAME)
	ln -sf $(SONAME) $(LIB)/lib$(NAME).so
endif
	install -m 644 $(OUT)/public/$(NAME).pc $(LIB)/pkgconfig
	install -m 644 $(HEADERS) $(INCLUDE)
	install -m 644 docs/manual/tapeformer.3 $(MAN)/man3
	@[ ! -e $(MANUAL)/tapeformer.1 ] || { set -ex; \
	    install -m 644 $(MANUAL)/tapeformer.1 $(MAN)/man1; \
	    install -m 644 $(MANUAL)/tapeformer.bash $(BASH)/tapeformer; \
	    install -m 644 $(MANUAL)/_tapeformer $(ZSH); \
	    install -m 644 $(MANUAL)/tapeformer.fish $(FISH); }

uninstall: ## remove what install put there
	rm -f $(INSTALLED)
	@ls $(LIB)/libtapeformer*.a >/dev/null 2>&1 || { echo rm -f $(COMMON); rm -f $(COMMON); rmdir $(INCLUDE); }

dist: $(MADE) ## a tarball of the committed files and the manual: build/tapeformer-VERSION.tar.gz
	@mkdir -p build
	git archive --format=tar.gz --prefix=tapeformer-$(VERSION)/docs/manual/ $(PAGES:%=--add-file=$(MANUAL)/%) \
	    --prefix=tapeformer-$(VERSION)/ -o build/tapeformer-$(VERSION).tar.gz HEAD

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo "Variables: PRECISION=float|double  CC=gcc|clang  PREFIX=$(PREFIX)  DESTDIR="
