//! Workflows for GitHub Actions.
//!
//! The build holds the token that GitHub gives each run, which can push images and nothing else. The other two hold one
//! SSH key. No workflow holds a value of the app: those live on the server. What a person types reaches a shell only
//! as a variable, never as a part of the script.

use super::filled;

pub(super) fn images() -> String {
    IMAGES.to_owned()
}

pub(super) fn promote() -> String {
    filled(PROMOTE, &[("REACH", REACH)])
}

pub(super) fn rollback() -> String {
    filled(ROLLBACK, &[("REACH", REACH)])
}

const IMAGES: &str = r#"# Written by `mainstay init`. Each push to main becomes an image, under two tags: sha-<short sha>, which never
# moves, and main-latest, which does.
name: Images
on:
  push:
    branches: [main]
permissions:
  contents: read
  packages: write
concurrency:
  group: images-${{ github.ref }}
  cancel-in-progress: true
jobs:
  image:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
      - id: names
        run: |
          echo "image=ghcr.io/${GITHUB_REPOSITORY,,}" >> "$GITHUB_OUTPUT"
          echo "tag=sha-${GITHUB_SHA::7}" >> "$GITHUB_OUTPUT"
      - uses: docker/setup-buildx-action@v3
      - uses: docker/login-action@v3
        with:
          registry: ghcr.io
          username: ${{ github.actor }}
          password: ${{ secrets.GITHUB_TOKEN }}
      - uses: docker/build-push-action@v6
        with:
          context: .
          push: true
          tags: |
            ${{ steps.names.outputs.image }}:${{ steps.names.outputs.tag }}
            ${{ steps.names.outputs.image }}:main-latest
          cache-from: type=gha
          cache-to: type=gha,mode=max
      - run: echo "promote it with the tag \`$TAG\`" >> "$GITHUB_STEP_SUMMARY"
        env:
          TAG: ${{ steps.names.outputs.tag }}
"#;

/// The way to the server, and nothing else: what is done there is one command, which judges everything itself.
const REACH: &str = r#"      - name: Reach the server
        run: |
          eval "$(ssh-agent -s)" > /dev/null
          echo "SSH_AUTH_SOCK=$SSH_AUTH_SOCK" >> "$GITHUB_ENV"
          ssh-add -q - <<< "$SSH_KEY"
          mkdir -p ~/.ssh
          printf '%s\n' "$KNOWN_HOSTS" >> ~/.ssh/known_hosts
          if ! [[ "$STACK" =~ ^[a-z0-9][a-z0-9_-]*$ ]]; then
            echo "::error::MAINSTAY_STACK is not the name of a stack"
            exit 2
          fi
        env:
          KNOWN_HOSTS: ${{ vars.MAINSTAY_KNOWN_HOSTS }}
          SSH_KEY: ${{ secrets.MAINSTAY_SSH_KEY }}"#;

const PROMOTE: &str = r#"# Written by `mainstay init`. Needs, in the environment "production" of the repository's settings:
#   variable MAINSTAY_SERVER        deploy@vps.example.com
#   variable MAINSTAY_KNOWN_HOSTS   what `ssh-keyscan vps.example.com` prints, compared with the server's own key
#   variable MAINSTAY_STACK         the name of the stack there, as `mainstay stacks` lists it
#   secret   MAINSTAY_SSH_KEY       the private key of that user; nothing else is held here
name: Promote
on:
  workflow_dispatch:
    inputs:
      tag:
        description: The image's tag, such as sha-1a2b3c4
        required: true
permissions: {}
concurrency:
  group: production
  cancel-in-progress: false
jobs:
  promote:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    environment: production
    env:
      SERVER: ${{ vars.MAINSTAY_SERVER }}
      STACK: ${{ vars.MAINSTAY_STACK }}
    steps:
@REACH@
      - name: Promote
        run: |
          if ! [[ "$TAG" =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]]; then
            echo "::error::this is no tag of an image"
            exit 2
          fi
          ssh "$SERVER" mainstay promote --stack "$STACK" --tag "$TAG" --yes
        env:
          TAG: ${{ inputs.tag }}
"#;

const ROLLBACK: &str = r#"# Written by `mainstay init`. Needs what promote.yaml needs.
name: Rollback
on:
  workflow_dispatch:
    inputs:
      release:
        description: The number of the release to go back to; empty for the one before
        required: false
permissions: {}
concurrency:
  group: production
  cancel-in-progress: false
jobs:
  rollback:
    runs-on: ubuntu-24.04
    timeout-minutes: 30
    environment: production
    env:
      SERVER: ${{ vars.MAINSTAY_SERVER }}
      STACK: ${{ vars.MAINSTAY_STACK }}
    steps:
@REACH@
      - name: Roll back
        run: |
          if ! [[ "$RELEASE" =~ ^[0-9]{0,9}$ ]]; then
            echo "::error::this is no number of a release"
            exit 2
          fi
          ssh "$SERVER" mainstay rollback --stack "$STACK" ${RELEASE:+--to "$RELEASE"} --yes
        env:
          RELEASE: ${{ inputs.release }}
"#;
