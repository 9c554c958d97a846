/**
 * Modes of all that Lapse writes to its data folder. Events and profiles are other people's data:
 * nobody but the user that Lapse runs as reads them.
 */
export const PRIVATE_FILE_MODE = 0o600;
export const PRIVATE_FOLDER_MODE = 0o700;
