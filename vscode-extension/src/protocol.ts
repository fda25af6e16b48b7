// What the language server answers, as docs/protocol.md describes it.

/** A definition in an open document: the argument of a lens, and of most commands of the server. */
export interface Target {
  readonly uri: string;
  readonly definition?: string;
  /** Counted from 0; says which definition is meant where none is named. */
  readonly line?: number;
}

export interface PastEdit {
  readonly commit: string;
  readonly author: string;
  /** ISO 8601. */
  readonly date: string;
  readonly subject: string;
  readonly path: string;
  readonly previousPath: string | null;
  readonly definition: string;
  readonly kind: 'added' | 'modified' | 'removed';
  /** Counted from 0. */
  readonly line: number;
  /** At most 1; null for an edit that was not compared with anything, or that is made again or taken back. */
  readonly score: number | null;
  readonly reasons: readonly string[];
  readonly diff: string;
  /** The name of another repository that it comes from, and that one's folder (a URI) where it is on this machine. */
  readonly repository?: string;
  readonly root?: string;
}

export interface SimilarEdits {
  readonly root: string;
  readonly query: {
    readonly path: string;
    readonly definition: string;
    /** "search": found by `words`, and about no definition. */
    readonly kind: 'similar' | 'next' | 'search';
    readonly words?: string;
    readonly likely: readonly string[];
    readonly reasons: readonly string[];
  };
  readonly edits: readonly PastEdit[];
}

export interface Prediction {
  readonly path: string;
  readonly uri: string;
  readonly definition: string;
  readonly line: number;
  readonly score: number;
  readonly likely: readonly string[];
  readonly reasons: readonly string[];
}

export interface NextEdits {
  readonly root: string;
  readonly predictions: readonly Prediction[];
  /** What they are from while nothing is being edited, and what their chances mean. */
  readonly about?: string;
}

export interface CommitEdits {
  readonly root: string;
  readonly edits: readonly PastEdit[];
}

/** A file that usually changes with the change at hand, and has not. */
export interface MissingFile {
  readonly path: string;
  readonly uri: string;
  /** At most 1. */
  readonly chance: number;
  readonly reason: string;
  readonly sentence: string;
  readonly evidence: readonly {
    readonly commit: string;
    readonly author: string;
    /** ISO 8601. */
    readonly date: string;
    readonly subject: string;
  }[];
  /** Those that the change leaves broken, the surest first; `line` counts from 1. */
  readonly definitions: readonly { readonly definition: string; readonly line: number; readonly chance: number; readonly reason: string }[];
}

export interface Forgotten {
  readonly root: string;
  readonly headline: string;
  /** The name under which it is remembered that a file is not needed. */
  readonly change: string;
  readonly missing: readonly MissingFile[];
}

export interface RepositoryStatus {
  readonly root: string;
  readonly stage: 'indexing' | 'ready' | 'halted' | 'failed';
  readonly done: number;
  readonly total: number;
  /** Why indexing waits just now. */
  readonly paused?: '' | 'battery' | 'load';
  /** What is waited for while nothing is edited, and what is answered from meanwhile. */
  readonly waiting?: string;
}

export interface Problem {
  readonly folder: string;
  readonly about: 'repository' | 'model' | 'index' | 'other';
  readonly message: string;
}

export interface ServerStatus {
  readonly enabled: boolean;
  /** Seconds until hints come back by themselves. */
  readonly snoozed: number;
  readonly model: { readonly name: string; readonly problem: string };
  readonly repositories: readonly RepositoryStatus[];
  readonly problems: readonly Problem[];
  /** Open documents that get no hints, and why, in a few words. */
  readonly silent?: readonly { readonly uri: string; readonly reason: string }[];
}

/** Commands of the server, and what each takes and gives. */
export interface ServerCommands {
  'codewm.showSimilarEdits': { takes: Target & { show: false }; gives: SimilarEdits };
  'codewm.showNextEdits': { takes: Target & { show: false; evidence: boolean }; gives: NextEdits };
  'codewm.search': { takes: { words: string; uri: string; show: false }; gives: SimilarEdits };
  'codewm.forgotten': { takes: { uri: string }; gives: Forgotten };
  'codewm.notNeeded': {
    takes: { root: string; path: string; change?: string; restore?: boolean };
    gives: { dismissed: boolean };
  };
  'codewm.commitEdits': { takes: { root: string; commit: string }; gives: CommitEdits };
  'codewm.fileAt': {
    takes: { root: string; commit: string; path: string; side: 'before' | 'after' };
    gives: { text: string | null };
  };
  'codewm.dismiss': { takes: Target & { restore?: boolean }; gives: { dismissed: number } };
  'codewm.dismissEdit': {
    takes: {
      root: string;
      commit: string;
      path: string;
      definition: string;
      scope: 'edit' | 'like' | 'commit';
      restore: boolean;
    };
    gives: { dismissed: boolean };
  };
  'codewm.toggle': { takes: boolean; gives: { enabled: boolean } };
  'codewm.snooze': { takes: number; gives: { minutes: number } };
  'codewm.reindex': { takes: undefined; gives: { repositories: number } };
}

/** The notification by which the server tells how it stands. */
export const STATUS_CHANGED = 'codewm/status';

/** The name that the server gives to what stands in no function and no class. */
export const MODULE = '<module>';
