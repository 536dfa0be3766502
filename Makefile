# Every target is a short script in scripts/, or one command.

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests setup-arm setup-bench build run test arm bench lint sanitize clean

help:
	@echo "make run       installs what is missing, builds, and runs the whole pipeline with a private RabbitMQ"
	@echo "               (flags: make run ARGS=\"--speed max --max-orders 500\"; Ctrl-C drains and stops)"
	@echo "make test      installs what is missing and runs every test"
	@echo "make bench     measures ActorBus beside other AMQP clients (flags: make bench ARGS=\"--quick\"; ARGS=--help shows them)"
	@echo "make build     installs what is missing and leaves .build/release/pipeline-run"
	@echo "make setup     only installs what is missing"
	@echo "make lint      checks the format of the sources and the scripts"
	@echo "make sanitize  runs the tests under the address and the thread sanitizer"
	@echo "make arm       runs the checks of the 32-bit build for ARMv7 under QEMU; make test does too"
	@echo "make clean     removes everything built"

setup:
	@scripts/setup

setup-bench: setup
	@scripts/setup-bench

setup-tests: setup
	@scripts/setup-tests

setup-arm:
	@scripts/setup-arm

build: setup
	@scripts/build

# exec, and no recipe line after it: the pipeline itself receives Ctrl-C, drains, and its exit code is the script's.
run: build
	@exec scripts/run $(ARGS)

test: setup-tests
	@scripts/test

bench: setup-bench
	@exec scripts/bench $(ARGS)

arm: setup-arm
	@scripts/arm

lint:
	@scripts/lint

sanitize: setup-tests
	@scripts/sanitize

clean:
	rm -rf .build .build-asan .build-tsan
