-- What was there before the first migration: an installation made this by hand, in Supabase's own editor. It is no
-- migration; a comparison of the schema begins with it (`drift.before`).
CREATE TABLE public.properties (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    name text NOT NULL
);

CREATE TABLE public.guests (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    email text
);

CREATE TABLE public.bookings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    property_id uuid NOT NULL REFERENCES public.properties (id),
    guest_id uuid REFERENCES public.guests (id),
    arrives_on date NOT NULL,
    leaves_on date NOT NULL,
    cancelled_by text,
    CHECK (leaves_on > arrives_on)
);

CREATE TABLE public.availability_blocks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    property_id uuid NOT NULL REFERENCES public.properties (id),
    begins_on date NOT NULL,
    ends_on date NOT NULL
);

CREATE TABLE public.channel_connections (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    channel text NOT NULL
);
