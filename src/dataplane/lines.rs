//! stub
#[derive(Debug, Default)]
pub(crate) struct Lines;
impl Lines {
    pub(crate) fn take(&mut self, bytes: &[u8], _allow: impl FnOnce(u32) -> u32) -> usize {
        bytes.len()
    }
}
