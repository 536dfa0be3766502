# Every target is a short script in scripts/, or one command.

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests setup-bench build run test bench bench-pipeline lint sanitize clean

help:
	@echo "make run       installs what is missing, builds, and runs the whole pipeline with a private RabbitMQ"
	@echo "               (flags: make run ARGS=\"--speed max --max-orders 500\"; Ctrl-C drains and stops)"
	@echo "make test      installs what is missing and runs every test"
	@echo "make bench     measures ActorBus beside other AMQP clients (flags: make bench ARGS=\"--quick\"; ARGS=--help shows them)"
	@echo "make bench-pipeline"
	@echo "               measures the whole pipeline beside the same on pika (flags as for bench)"
	@echo "make build     installs what is missing and leaves .build/release/pipeline-run"
	@echo "make setup     only installs what is missing"
	@echo "make lint      checks the format of the sources and the scripts"
	@echo "make sanitize  runs the tests under the address and the thread sanitizer"
	@echo "make clean     removes everything built"

setup:
	@scripts/setup

setup-bench: setup
	@scripts/setup-bench

setup-tests: setup
	@scripts/setup-tests

build: setup
	@scripts/build

# exec, and no recipe line after it: the pipeline itself receives Ctrl-C, drains, and its exit code is the script's.
run: build
	@exec scripts/run $(ARGS)

test: setup-tests
	@scripts/test

bench: setup-bench
	@exec scripts/bench $(ARGS)

bench-pipeline: setup-bench
	@exec scripts/bench-pipeline $(ARGS)

lint:
	@scripts/lint

sanitize: setup-tests
	@scripts/sanitize

clean:
	rm -rf .build .build-asan .build-tsan
