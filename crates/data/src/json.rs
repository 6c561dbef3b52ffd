//! Where a text stops to be JSON.

/// What is wrong with `text`, with its line and column; none if it is JSON.
pub fn json_fault(text: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(text).err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::json_fault;

    #[test]
    fn faults_have_a_line_and_a_column() {
        assert_eq!(json_fault("{\"labels\": [\n[\"a.png\", 0],\n]}").unwrap(), "trailing comma at line 3 column 1");
        assert_eq!(json_fault("{\"labels\": [").unwrap(), "EOF while parsing a list at line 1 column 12");
        assert_eq!(json_fault("[]"), None);
    }
}
