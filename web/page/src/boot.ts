// Has the model loaded before the page's own script and style are there.
import { startModel } from './model/started.ts';

startModel();
