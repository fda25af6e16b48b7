// What a copy indicator is: a small example that moves, and the study of collapse.
import { mountStudy } from './collapse.ts';
import { mountIdea } from './idea.ts';

mountIdea();
mountStudy();
