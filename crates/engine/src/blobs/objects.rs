//! Objects of somebody else's bucket: with what is attached to them, unlike those of a store of ours.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{StreamExt, TryStreamExt};
use mainstay_model::bucket::Listed;
use object_store::{
    Attribute, AttributeValue, Attributes, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, WriteMultipart,
};

use super::error::BlobError;
use super::store::{Reading, Store};
use super::upload::PART_BYTES;

/// So many parts of one object are on their way at a time.
const AT_ONCE: usize = 2;

/// What is told of an object besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// `content-type` and its like.
    pub headers: BTreeMap<String, String>,
    /// What the user has attached.
    pub metadata: BTreeMap<String, String>,
}

/// A large object on its way into a bucket: seen by nobody until it is finished.
pub struct Putting {
    store: Store,
    key: String,
    writing: WriteMultipart,
}

impl Store {
    /// Every object of the bucket, sorted by key.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn objects(&self) -> Result<Vec<Listed>, BlobError> {
        let all = self.objects.list(None).try_collect::<Vec<_>>().await;
        let all = all.map_err(|error| self.failed("listing", "", &error))?;
        let mut found: Vec<Listed> = all
            .into_iter()
            .map(|meta| Listed {
                key: meta.location.as_ref().to_owned(),
                bytes: meta.size,
                modified_ms: meta.last_modified.timestamp_millis(),
                etag: meta.e_tag,
            })
            .collect();
        found.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(found)
    }

    /// An object's bytes, with what is attached to it.
    ///
    /// # Errors
    /// When it is not there, or the server does not answer.
    pub async fn object(&self, key: &str) -> Result<(Attached, Reading), BlobError> {
        let doing = format!("reading `{key}`");
        let answer = self.objects.get(&self.path(key)?).await.map_err(|error| self.failed(&doing, key, &error))?;
        let attached = Attached::of(&answer.attributes);
        let (place, key) = (self.place.clone(), key.to_owned());
        let pieces = answer.into_stream();
        let pieces = pieces.map(move |piece| piece.map_err(|error| BlobError::of(&place, &doing, &key, &error)));
        Ok((attached, Box::pin(pieces)))
    }

    /// Writes an object of one part, over what stands there.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn put_object(&self, key: &str, attached: &Attached, bytes: Bytes) -> Result<(), BlobError> {
        let options = PutOptions { attributes: attached.attributes(), ..PutOptions::default() };
        let put = self.objects.put_opts(&self.path(key)?, PutPayload::from(bytes), options).await;
        put.map(|_| ()).map_err(|error| self.failed(&format!("writing `{key}`"), key, &error))
    }

    /// Begins an object of several parts.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn begin_object(&self, key: &str, attached: &Attached) -> Result<Putting, BlobError> {
        let options = PutMultipartOptions { attributes: attached.attributes(), ..PutMultipartOptions::default() };
        let upload = self.objects.put_multipart_opts(&self.path(key)?, options).await;
        let upload = upload.map_err(|error| self.failed(&format!("beginning `{key}`"), key, &error))?;
        let writing = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        Ok(Putting { store: self.clone(), key: key.to_owned(), writing })
    }
}

impl Putting {
    /// # Errors
    /// When a part was not taken.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), BlobError> {
        let room = self.writing.wait_for_capacity(AT_ONCE).await;
        room.map_err(|error| self.store.failed(&format!("writing `{}`", self.key), &self.key, &error))?;
        self.writing.put(bytes);
        Ok(())
    }

    /// # Errors
    /// When a part, or the whole, was not taken.
    pub async fn finish(self) -> Result<(), BlobError> {
        let finished = self.writing.finish().await;
        finished.map(|_| ()).map_err(|error| self.store.failed(&format!("finishing `{}`", self.key), &self.key, &error))
    }

    /// What was begun is taken back, as far as the server answers.
    pub async fn abort(self) {
        // The error that led here is the one to tell.
        let _ = self.writing.abort().await;
    }
}

impl Attached {
    fn of(attributes: &Attributes) -> Attached {
        let mut attached = Attached::default();
        for (attribute, value) in attributes {
            let value = value.as_ref().to_owned();
            match (attribute, header(attribute)) {
                (Attribute::Metadata(name), _) => attached.metadata.insert(name.clone().into_owned(), value),
                (_, Some(name)) => attached.headers.insert(name.to_owned(), value),
                // Where the server keeps it is the server's business.
                (_, None) => None,
            };
        }
        attached
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        for attribute in HEADERS {
            if let Some(value) = header(&attribute).and_then(|name| self.headers.get(name)) {
                attributes.insert(attribute, AttributeValue::from(value.clone()));
            }
        }
        for (name, value) in &self.metadata {
            attributes.insert(Attribute::Metadata(Cow::Owned(name.clone())), AttributeValue::from(value.clone()));
        }
        attributes
    }
}

const HEADERS: [Attribute; 5] = [
    Attribute::ContentType,
    Attribute::ContentEncoding,
    Attribute::ContentDisposition,
    Attribute::ContentLanguage,
    Attribute::CacheControl,
];

fn header(attribute: &Attribute) -> Option<&'static str> {
    match attribute {
        Attribute::ContentType => Some("content-type"),
        Attribute::ContentEncoding => Some("content-encoding"),
        Attribute::ContentDisposition => Some("content-disposition"),
        Attribute::ContentLanguage => Some("content-language"),
        Attribute::CacheControl => Some("cache-control"),
        _ => None,
    }
}
