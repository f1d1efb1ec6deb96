// The pieces every page is made of.

export { default as Badge } from './Badge.svelte';
export { default as Button } from './Button.svelte';
export { default as Calendar } from './Calendar.svelte';
export { default as ConfirmDialog } from './ConfirmDialog.svelte';
export { default as Dialog } from './Dialog.svelte';
export { default as EmptyState } from './EmptyState.svelte';
export { default as ErrorState } from './ErrorState.svelte';
export { default as Field } from './Field.svelte';
export { default as IconButton } from './IconButton.svelte';
export { default as Kbd } from './Kbd.svelte';
export { default as Menu, type MenuItem } from './Menu.svelte';
export { default as Note } from './Note.svelte';
export { default as PasswordInput } from './PasswordInput.svelte';
export { default as Popover } from './Popover.svelte';
export { default as Segmented } from './Segmented.svelte';
export { default as Select, type Option } from './Select.svelte';
export { default as Skeleton } from './Skeleton.svelte';
export { default as Spinner } from './Spinner.svelte';
export { default as StateDot } from './StateDot.svelte';
export { default as Switch } from './Switch.svelte';
export { default as Tabs, type Tab } from './Tabs.svelte';
export { default as TextInput } from './TextInput.svelte';
export { default as Toaster } from './Toaster.svelte';
export { default as Tooltip } from './Tooltip.svelte';
export { toast } from 'svelte-sonner';
export type { Tone } from './tone';
