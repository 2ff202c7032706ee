//! Thumbnails of hostile input in bounded memory
