//! What the edge serves of one stack, changed; and what it serves now.

use std::collections::BTreeSet;

use mainstay_model::edge::slots::{self, SET};
use mainstay_model::edge::{EdgeSettings, Site};
use mainstay_model::identity::{ServiceName, StackName};
use mainstay_model::observed::ObservedEdge;

use super::Edge;
use super::kept::Kept;
use crate::world::WorldError;

/// The new routes of one stack.
#[derive(Clone, Debug)]
pub struct Change {
    pub stack: StackName,
    pub sites: Vec<Site>,
    /// Services of the stack whose routes stay as they are.
    pub kept: Vec<ServiceName>,
    /// The engine's names of the networks on which the edge meets the stack.
    pub networks: BTreeSet<String>,
}

impl Edge {
    /// # Errors
    /// When the file cannot be read.
    pub fn settings(&self) -> Result<EdgeSettings, WorldError> {
        self.files.settings()
    }

    /// Takes effect when the edge is brought up next.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn keep_settings(&self, settings: &EdgeSettings) -> Result<(), WorldError> {
        self.files.keep_settings(settings)
    }

    /// What it is to serve.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kept(&self) -> Result<Kept, WorldError> {
        self.files.kept()
    }

    /// Writes down what the edge starts with: its routes under its present settings.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub async fn make_ready(&self) -> Result<(), WorldError> {
        let table = self.files.kept()?.table(self.files.settings()?)?;
        self.prepare(&table).await
    }

    /// Makes the edge serve these routes of a stack, and leaves all others as they are.
    ///
    /// What is about to be served is written down first: after a kill in between, the links say whether it is.
    ///
    /// # Errors
    /// When another stack has one of the addresses, and as [`Edge::load`]; the edge then serves on as before.
    pub async fn change(&self, change: Change) -> Result<(), WorldError> {
        let _one = self.changing.lock().await;
        self.settle_next().await?;
        self.remember(&change.stack)?;
        self.make(change).await
    }

    async fn make(&self, change: Change) -> Result<(), WorldError> {
        let stack = change.stack.clone();
        let mut next = self.files.kept()?;
        next.sites.retain(|site| site.stack != change.stack || change.kept.contains(&site.service));
        next.sites.extend(change.sites);
        next.sites.sort_by(|a, b| (&a.host, &a.path).cmp(&(&b.host, &b.path)));
        if next.sites.iter().any(|site| site.stack == change.stack) {
            let networks = next.networks.entry(change.stack).or_default();
            // Of services whose routes stay it is not said where they are met.
            if change.kept.is_empty() {
                networks.clear();
            }
            networks.extend(change.networks);
        } else {
            next.networks.remove(&change.stack);
        }
        let table = next.table(self.files.settings()?)?;
        self.files.announce(&next)?;
        match self.load(&table).await {
            Ok(()) => {
                self.files.adopt(&next)?;
                // What was behind the private door serves, or does not come.
                self.forget_preview(&stack)?;
                self.sets.close_preview(&stack);
                if !next.networks.contains_key(&stack) {
                    self.sets.forget(&stack);
                }
                Ok(())
            }
            Err(error) => {
                self.files.forget_next();
                Err(error)
            }
        }
    }

    /// Keeps what a stack serves, for the case that it has to be led back to.
    fn remember(&self, stack: &StackName) -> Result<(), WorldError> {
        let mut kept = self.files.kept()?;
        let mut networks = self.files.networks_before()?;
        networks.insert(stack.clone(), kept.networks.remove(stack).unwrap_or_default());
        self.files.keep_networks_before(&networks)?;
        let sites = kept.sites.into_iter().filter(|site| site.stack == *stack).collect();
        let mut before = self.files.before()?;
        before.insert(stack.clone(), sites);
        self.files.keep_before(&before)
    }

    /// Takes all routes of a stack off, for good.
    ///
    /// # Errors
    /// As [`Edge::change`].
    pub async fn unroute(&self, stack: &StackName) -> Result<(), WorldError> {
        let (sites, kept, networks) = (Vec::new(), Vec::new(), BTreeSet::new());
        self.change(Change { stack: stack.clone(), sites, kept, networks }).await?;
        let mut before = self.files.before()?;
        before.remove(stack);
        self.files.keep_before(&before)
    }

    /// Makes the edge serve of a stack what it served until the last change, by the same containers.
    ///
    /// # Errors
    /// When that is not known, and as [`Edge::change`].
    pub async fn lead_back(&self, stack: &StackName) -> Result<(), WorldError> {
        let _one = self.changing.lock().await;
        self.settle_next().await?;
        let Some(sites) = self.files.before()?.remove(stack) else {
            return Err(WorldError::new(format!("what `{stack}` served before is not known")));
        };
        let networks = self.files.networks_before()?.remove(stack);
        let networks = networks.or(self.files.kept()?.networks.remove(stack)).unwrap_or_default();
        self.make(Change { stack: stack.clone(), sites, kept: Vec::new(), networks }).await
    }

    /// What it serves, and whether it answers.
    ///
    /// # Errors
    /// When its files cannot be read or written.
    pub async fn seen(&self) -> Result<ObservedEdge, WorldError> {
        let answers = self.settle_next().await?;
        let settings = self.files.settings()?;
        let container = settings.container();
        let kept = self.files.kept()?;
        let table = kept.table(settings)?;
        let is_as_told = answers && self.serves(&table).await.unwrap_or(false);
        let previews = self.files.previews()?.into_keys().collect();
        Ok(ObservedEdge { container, answers, is_as_told, sites: kept.sites, before: self.files.before()?, previews })
    }

    /// Finishes or forgets what was about to be served when somebody was killed. Gives whether the edge answers.
    ///
    /// The links say which set of containers is served, so that this is known even while the edge is away.
    pub(super) async fn settle_next(&self) -> Result<bool, WorldError> {
        let answers = self.answers().await;
        let Some(next) = self.files.next()? else { return Ok(answers) };
        let table = next.table(self.files.settings()?)?;
        let wanted = slots::of(&table);
        let is_led_there = wanted.iter().all(|(stack, slots)| self.sets.live(stack).as_ref() == slots.get(SET));
        if !is_led_there {
            self.files.forget_next();
            return Ok(answers);
        }
        if answers {
            self.load(&table).await?;
        } else {
            self.prepare(&table).await?;
        }
        self.files.adopt(&next)?;
        Ok(answers)
    }

    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        self.shown().await.is_ok()
    }
}
