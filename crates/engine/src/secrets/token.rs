//! Supabase's tokens: a JSON web token for a role, signed with HMAC-SHA256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// As long as Coolify's: nobody renews them.
const VALID_SECS: i64 = 100 * 365 * 24 * 60 * 60;

/// A token for a role.
pub(super) fn signed(role: &str, now: Timestamp, key: &str) -> Option<String> {
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(serde_json::json!({ "alg": "HS256", "typ": "JWT" }));
    let issued = now.as_second();
    let claims = part(serde_json::json!({
        "iss": "supabase",
        "role": role,
        "iat": issued,
        "exp": issued + VALID_SECS,
    }));
    let signing = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac(key, &signing)?.finalize().into_bytes());
    Some(format!("{signing}.{signature}"))
}

/// Whether a token was signed with this key.
pub(super) fn is_signed_with(token: &str, key: &str) -> bool {
    let Some((signing, signature)) = token.rsplit_once('.') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    hmac(key, signing).is_some_and(|hmac| hmac.verify_slice(&signature).is_ok())
}

/// Nothing only for a key that HMAC does not take, and it takes one of any length.
fn hmac(key: &str, text: &str) -> Option<Hmac<Sha256>> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    hmac.update(text.as_bytes());
    Some(hmac)
}
