//! What steps cost on this machine; run by hand: `cargo test --release -p mainstay-engine --test docker_cost -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::disallowed_macros)]

mod support;

use std::time::Instant;

use futures_util::StreamExt;
use mainstay_model::declared::Condition;
use mainstay_model::plan::Action;
use support::{Stack, idle};

const SIDE_BY_SIDE: usize = 8;

async fn up(count: usize) {
    let Some(mut stack) = Stack::new("cost").await else { return };
    stack.network("default");
    let names: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
    for name in &names {
        stack.service(name, &["default"], idle(""));
    }
    let begun = Instant::now();
    stack.look().await;
    let looked = begun.elapsed();
    stack.lay().await;
    let stack = &stack;
    futures_util::stream::iter(&names)
        .for_each_concurrent(SIDE_BY_SIDE, |name| async move {
            let target = stack.create(name).await;
            stack.must(Action::StartContainer { target: target.clone() }).await;
            stack.wait(&target, Condition::Started, 10).await.unwrap();
        })
        .await;
    let all = begun.elapsed();
    let mut looks: Vec<_> = Vec::new();
    for _ in 0..11 {
        let begun = Instant::now();
        assert_eq!(stack.look().await.containers.len(), count);
        looks.push(begun.elapsed());
    }
    looks.sort();
    println!("ours {count}: up {all:?} (cold look {looked:?}), look again {:?} (best {:?})", looks[5], looks[0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, does not check"]
async fn cost() {
    let count: usize = std::env::var("COUNT").ok().and_then(|count| count.parse().ok()).unwrap_or(10);
    up(count).await;
}
