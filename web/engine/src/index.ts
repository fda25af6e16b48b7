export * from './api.ts';
export { loadEngine } from './engine.ts';
export { loadGallery } from './gallery.ts';
export { unmatched } from './matching.ts';
