# Every target is a short script in scripts/, or one command.

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests setup-arm setup-bench setup-deploy setup-image build run test test-brokers differential rolling-check simulate simulate-pipeline
.PHONY: arm bench bench-pipeline lint sanitize deploy-check observe-check image image-check clean

help:
	@echo "make run            installs what is missing, builds, and runs the whole pipeline with a private RabbitMQ"
	@echo "                    (flags: make run ARGS=\"--speed max --max-orders 500\"; Ctrl-C drains and stops)"
	@echo "make test           installs what is missing and runs every test"
	@echo "make test-brokers   runs the tests that depend on the broker on RabbitMQ 3.10, 4.0 and 4.3"
	@echo "                    (flags: make test-brokers ARGS=trixie; bookworm has 3.10, trixie 4.0, forky 4.3)"
	@echo "make differential   holds the simulated broker against RabbitMQ 3.10, 4.0 and 4.3 (ARGS as above)"
	@echo "make build          installs what is missing and leaves .build/release/pipeline-run"
	@echo "make setup          only installs what is missing"
	@echo "make lint           checks the format of the sources and the scripts"
	@echo "make sanitize       runs the tests under the address and the thread sanitizer"
	@echo "make rolling-check  restarts the nodes of a cluster in turn while orders flow (ARGS as above)"
	@echo "make simulate       searches for faults of the client in virtual time"
	@echo "                    (flags: make simulate ARGS=\"--seeds 100000 --start 1\"; --replay SEED tells the story of one, --shrink SEED makes it short)"
	@echo "make simulate-pipeline  the same for the whole pipeline, whose services are killed and started again (flags: as above)"
	@echo "make arm            runs the checks of the 32-bit build for ARMv7 under QEMU; make test does too"
	@echo "make bench          measures ActorBus beside other AMQP clients"
	@echo "                    (flags: make bench ARGS=\"--quick\"; ARGS=--help shows them)"
	@echo "make bench-pipeline measures the whole pipeline beside the same on pika (flags: as above)"
	@echo "make deploy-check   checks manifests, rules, dashboard and image file without a cluster"
	@echo "                    (CRD_SCHEMAS=FOLDER checks custom resources too)"
	@echo "make observe-check  checks panels, alerts and topology objects on a live broker with live services"
	@echo "make image          builds the container image"
	@echo "make image-check    builds it on bases of its own, runs every service of it, and stops them"
	@echo "make clean          removes everything built"

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

test-brokers: setup-tests
	@scripts/test-brokers $(ARGS)

differential: setup-tests
	@scripts/differential $(ARGS)

rolling-check: setup-tests
	@scripts/rolling-check $(ARGS)

simulate: setup
	@exec scripts/simulate $(ARGS)

simulate-pipeline: setup
	@exec scripts/simulate-pipeline $(ARGS)

bench: setup-bench
	@exec scripts/bench $(ARGS)

arm: setup-arm
	@scripts/arm

bench-pipeline: setup-bench
	@exec scripts/bench-pipeline $(ARGS)

lint:
	@scripts/lint

sanitize: setup-tests
	@scripts/sanitize

setup-deploy:
	@scripts/setup-deploy

setup-image:
	@scripts/setup-image

deploy-check: setup-deploy
	@scripts/deploy-check

observe-check: setup setup-deploy
	@scripts/observe-check $(ARGS)

image: setup-image
	@scripts/image $(ARGS)

image-check: setup setup-deploy setup-image
	@scripts/image-check $(ARGS)

clean:
	rm -rf .build .build-asan .build-tsan
