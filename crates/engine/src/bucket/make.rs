//! A bucket as it is declared: there, private, with its settings.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mainstay_model::declared::{Bucket, CorsRule};
use reqwest::{Client, Method, Response, StatusCode};
use rusty_s3::actions::{CreateBucket, HeadBucket, S3Action};
use rusty_s3::{Credentials, UrlStyle};
use sha2::{Digest, Sha256};

use super::error::BucketError;
use super::settings::Cors;
use crate::blobs::BlobError;

/// A signed address is used at once; clocks may differ a little.
const VALID_FOR: Duration = Duration::from_mins(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Servers that know no regions take any.
const REGION: &str = "us-east-1";
/// Of an answer that explains a refusal.
const WORDS: usize = 300;

/// A bucket by its server, for what is not about objects.
pub struct Server {
    client: Client,
    bucket: rusty_s3::Bucket,
    credentials: Credentials,
    /// `s3://artifacts at http://…`.
    shown: String,
    /// Where one server has buckets in several places.
    region: Option<String>,
}

/// What was done, and what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// It was not there.
    pub is_new: bool,
    /// Its CORS settings were others.
    pub cors_set: bool,
    /// Everybody may list it, without keys.
    pub is_public: bool,
}

impl Server {
    /// # Errors
    /// When the address cannot be one, or keys are missing.
    pub fn new(bucket: &Bucket) -> Result<Server, BucketError> {
        let shown = mainstay_model::declared::Destination::S3(bucket.clone()).to_string();
        let wrong = |why: &str| BlobError::Place { place: shown.clone(), why: why.into(), hints: Vec::new() };
        let (Some(access), Some(secret)) = (&bucket.access_key, &bucket.secret_key) else {
            return Err(wrong("its keys are missing").into());
        };
        let region = bucket.region.clone().unwrap_or_else(|| REGION.into());
        let endpoint = bucket.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = endpoint.parse().map_err(|_| wrong("its endpoint is no address"))?;
        let style = if bucket.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let signed = rusty_s3::Bucket::new(endpoint, style, bucket.bucket.clone(), region)
            .map_err(|_| wrong("its endpoint is no address"))?;
        crate::blobs::choose_tls();
        let client = Client::builder().timeout(ANSWER_WITHIN).build();
        Ok(Server {
            client: client.map_err(|error| wrong(&error.to_string()))?,
            bucket: signed,
            credentials: Credentials::new(access.reveal(), secret.reveal()),
            shown,
            region: bucket.region.clone(),
        })
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// When the server does not answer, or refuses these keys.
    pub async fn is_there(&self) -> Result<bool, BucketError> {
        const DOING: &str = "looking for the bucket";
        let url = HeadBucket::new(&self.bucket, Some(&self.credentials)).sign(VALID_FOR);
        let answer = self.ask(self.client.request(Method::HEAD, url), DOING).await?;
        match answer.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.refused(answer, DOING).await),
        }
    }

    /// Makes what is missing and sets what is different; what is as declared is left alone.
    ///
    /// # Errors
    /// When the server does not answer or refuses.
    pub async fn make(&self, cors: Option<&[CorsRule]>) -> Result<Made, BucketError> {
        let is_new = !self.is_there().await?;
        if is_new {
            self.create().await?;
        }
        let cors_set = match cors {
            Some(rules) => self.set_cors(&Cors::of(rules)).await?,
            None => false,
        };
        Ok(Made { is_new, cors_set, is_public: self.is_public().await? })
    }

    async fn create(&self) -> Result<(), BucketError> {
        const DOING: &str = "making the bucket";
        let url = CreateBucket::new(&self.bucket, &self.credentials).sign(VALID_FOR);
        let request = self.client.put(url).body(self.place_of_bucket());
        let answer = self.ask(request, DOING).await?;
        match answer.status() {
            // Somebody else made it in the meantime, with these keys or it would not be ours.
            StatusCode::CONFLICT if self.is_there().await? => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.refused(answer, DOING).await),
        }
    }

    fn place_of_bucket(&self) -> String {
        match self.region.as_deref().filter(|region| *region != REGION) {
            Some(region) => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
                 </LocationConstraint></CreateBucketConfiguration>",
                quick_xml::escape::escape(region)
            ),
            None => String::new(),
        }
    }

    /// Whether they were others.
    async fn set_cors(&self, wish: &Cors) -> Result<bool, BucketError> {
        const DOING: &str = "reading its CORS settings";
        const SETTING: &str = "setting its CORS settings";
        let url = self.signed_get(&[("cors", "")]);
        let answer = self.ask(self.client.get(url), DOING).await?;
        let there = match answer.status() {
            status if status.is_success() => Cors::read(&answer.text().await.unwrap_or_default()).unwrap_or_default(),
            // There are none.
            StatusCode::NOT_FOUND => Cors::default(),
            _ => return Err(self.refused(answer, DOING).await),
        };
        if there == *wish {
            return Ok(false);
        }
        let text = wish.text();
        let sum = BASE64_STANDARD.encode(Sha256::digest(&text));
        let mut put = CreateBucket::new(&self.bucket, &self.credentials);
        put.query_mut().insert("cors", "");
        put.headers_mut().insert("x-amz-checksum-sha256", sum.clone());
        let url = put.sign(VALID_FOR);
        let request = self.client.put(url).header("x-amz-checksum-sha256", sum).body(text);
        let answer = self.ask(request, SETTING).await?;
        if answer.status().is_success() { Ok(true) } else { Err(self.refused(answer, SETTING).await) }
    }

    /// Whether somebody without keys may list it.
    async fn is_public(&self) -> Result<bool, BucketError> {
        let mut url = self.bucket.base_url().clone();
        url.set_query(Some("list-type=2&max-keys=1"));
        let answer = self.ask(self.client.get(url), "asking without keys").await?;
        Ok(answer.status().is_success())
    }

    fn signed_get(&self, query: &[(&'static str, &'static str)]) -> reqwest::Url {
        let mut action = rusty_s3::actions::GetObject::new(&self.bucket, Some(&self.credentials), "");
        for (key, value) in query {
            action.query_mut().insert(*key, *value);
        }
        action.sign(VALID_FOR)
    }

    async fn ask(&self, request: reqwest::RequestBuilder, doing: &'static str) -> Result<Response, BucketError> {
        request.send().await.map_err(|error| {
            // Its address is signed: it is not repeated.
            let error = error.without_url();
            let mut why = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(next) = cause {
                why = next.to_string();
                cause = next.source();
            }
            BucketError::Away { address: self.shown.clone(), doing, why }
        })
    }

    async fn refused(&self, answer: Response, doing: &'static str) -> BucketError {
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        let within = |tag: &str| {
            let (_, rest) = text.split_once(&format!("<{tag}>"))?;
            Some(rest.split_once(&format!("</{tag}>"))?.0.to_owned())
        };
        let words = match (within("Code"), within("Message")) {
            (Some(code), Some(message)) => format!(" {code}: {message}"),
            (Some(code), None) => format!(" {code}"),
            _ => String::new(),
        };
        let words = words.chars().take(WORDS).collect();
        BucketError::Refused { address: self.shown.clone(), doing, status, words }
    }
}
