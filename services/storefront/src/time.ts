/** Moments, as people here write them. */
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { el } from "./element";

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The element for a moment; empty for none. */
export function moment(time: Timestamp | undefined): HTMLTimeElement | string {
  if (!time) {
    return "";
  }
  const date = timestampDate(time);
  return el("time", { datetime: date.toISOString() }, FORMAT.format(date));
}
