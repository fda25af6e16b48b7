export * from './api.ts';
export { loadEngine } from './engine.ts';
export { loadGallery, measureOf, setMeasure, type Measure } from './gallery.ts';
export { unmatched } from './matching.ts';
