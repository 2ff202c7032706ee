#![doc = include_str!("../NSV.md")]
