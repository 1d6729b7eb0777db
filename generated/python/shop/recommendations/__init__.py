"""Generated from the contracts. DO NOT EDIT."""
