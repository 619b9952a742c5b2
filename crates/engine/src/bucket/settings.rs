//! The CORS settings of a bucket, as S3 writes them.

use mainstay_model::declared::CorsRule;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "CORSConfiguration")]
pub(super) struct Cors {
    #[serde(rename = "CORSRule", default)]
    rules: Vec<Rule>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    #[serde(default)]
    allowed_origin: Vec<String>,
    #[serde(default)]
    allowed_method: Vec<String>,
    #[serde(default)]
    allowed_header: Vec<String>,
    #[serde(default)]
    expose_header: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<u64>,
}

impl Cors {
    pub(super) fn of(rules: &[CorsRule]) -> Cors {
        let rule = |rule: &CorsRule| Rule {
            allowed_origin: rule.origins.clone(),
            allowed_method: rule.methods.clone(),
            allowed_header: rule.headers.clone(),
            expose_header: rule.expose.clone(),
            max_age_seconds: rule.max_age_seconds,
        };
        Cors { rules: rules.iter().map(rule).collect() }
    }

    pub(super) fn text(&self) -> String {
        // Texts and numbers: nothing in it can fail to be written.
        quick_xml::se::to_string(self).unwrap_or_default()
    }

    pub(super) fn read(text: &str) -> Option<Cors> {
        quick_xml::de::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let rule = CorsRule {
            origins: vec!["https://app.example.com".into(), "https://<b>".into()],
            methods: vec!["GET".into(), "PUT".into()],
            headers: vec!["*".into()],
            expose: vec![],
            max_age_seconds: Some(3600),
        };
        let cors = Cors::of(&[rule.clone(), CorsRule { max_age_seconds: None, ..rule }]);
        let text = cors.text();
        assert!(text.starts_with("<CORSConfiguration><CORSRule><AllowedOrigin>https://app"), "{text}");
        assert_eq!(Cors::read(&text), Some(cors));
        let amazon = "<?xml version=\"1.0\"?><CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule>\
                      <ID>x</ID><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>\
                      </CORSConfiguration>";
        let star = CorsRule { origins: vec!["*".into()], methods: vec!["GET".into()], ..CorsRule::default() };
        assert_eq!(Cors::read(amazon), Some(Cors::of(&[star])));
        assert_eq!(Cors::read("<html>"), None);
    }
}
