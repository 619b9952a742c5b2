-- What is counted of a guest. May run again.
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS total_bookings integer DEFAULT 0;
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS total_spent numeric(12,2) DEFAULT 0;
ALTER TABLE public.guests ADD COLUMN IF NOT EXISTS last_booking_at timestamptz;

CREATE INDEX IF NOT EXISTS guests_last_booking_at_idx ON public.guests (last_booking_at);
