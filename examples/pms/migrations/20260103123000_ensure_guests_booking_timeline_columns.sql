-- When a guest came, and how it was. May run again.
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS first_booking_at timestamptz;
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS average_rating numeric(3,2);
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS deleted_at timestamptz;

CREATE INDEX IF NOT EXISTS guests_first_booking_at_idx ON public.guests (first_booking_at);
CREATE INDEX IF NOT EXISTS guests_deleted_at_idx ON public.guests (deleted_at);
