# Every target works on a fresh Debian machine: what is missing is installed by the target that needs it.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test check fuzz images bench clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## brings the three stacks of examples/pontea up on this machine, and says what to try
	@scripts/demo.sh

demo-down: ## takes everything that the demo made away
	@scripts/demo-down.sh

test: ## everything that CI runs: checks, unit tests, laws, and the binary against a real engine
	@scripts/test.sh

check: ## format, lints and the house's own rules; seconds, no engine
	@scripts/check.sh

fuzz: ## throws generated files at the reader, for ten minutes a target (`make fuzz SECONDS_EACH=3600 TARGET=load`)
	@scripts/fuzz.sh $(or $(SECONDS_EACH),600) $(TARGET)

images: ## builds the images of the tests and the demo that no registry gave
	@images/build.sh

bench: ## measures against `docker compose`, bare engine calls and the bare tools of Postgres, and prints ratios
	@bench/run.sh
	@bench/postgres.sh

clean: ## removes what was built here
	@cargo clean
