# Copyright 2026 The da3_ros Authors
# SPDX-License-Identifier: Apache-2.0
# Without ROS on this machine. With ROS 2 sourced this is an ordinary package: colcon build.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
RUN = @$(PYTHON) underlay/make_environment.py --

.PHONY: demo test environment clean

demo: ## simulated camera, or INPUT=<folder|video|bag>; WEIGHTS=<path|hf id|random>, ARGS="--engine oracle"
	$(RUN) python -m da3_ros demo $(if $(INPUT),--input "$(INPUT)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(ARGS)

test: ## ruff, mypy and every test; ARGS="-k name" for some
	$(RUN) ruff check .
	$(RUN) ruff format --check --quiet .
	$(RUN) mypy
	$(RUN) pytest $(ARGS)

environment: ## only .venv and the built messages
	@$(PYTHON) underlay/make_environment.py

clean: ## everything that make made
	rm -rf .venv build install log demo_out
