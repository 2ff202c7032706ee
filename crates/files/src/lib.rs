//! A bounded, crash-safe cache of plain files, made once and served by descriptor
