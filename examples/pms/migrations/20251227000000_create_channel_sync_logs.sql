-- What the worker did for the channels, one row a task. May run again.
CREATE TABLE IF NOT EXISTS public.channel_sync_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    task_id text,
    operation_type text NOT NULL,
    direction text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    details jsonb NOT NULL DEFAULT '{}'::jsonb,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT channel_sync_logs_operation_type_check
        CHECK (operation_type IN ('availability_update', 'pricing_update', 'booking_import', 'full_sync')),
    CONSTRAINT channel_sync_logs_direction_check CHECK (direction IN ('inbound', 'outbound')),
    CONSTRAINT channel_sync_logs_status_check CHECK (status IN ('pending', 'running', 'success', 'failed'))
);

CREATE INDEX IF NOT EXISTS channel_sync_logs_connection_id_idx ON public.channel_sync_logs (connection_id);
CREATE INDEX IF NOT EXISTS channel_sync_logs_task_id_idx ON public.channel_sync_logs (task_id);
CREATE INDEX IF NOT EXISTS channel_sync_logs_tenant_id_idx ON public.channel_sync_logs (tenant_id);
CREATE INDEX IF NOT EXISTS channel_sync_logs_status_idx ON public.channel_sync_logs (status);

-- Some installations have no channels.
DO $$
BEGIN
    IF to_regclass('public.channel_connections') IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'channel_sync_logs_connection_id_fkey') THEN
        ALTER TABLE public.channel_sync_logs
            ADD CONSTRAINT channel_sync_logs_connection_id_fkey
            FOREIGN KEY (connection_id) REFERENCES public.channel_connections (id) ON DELETE CASCADE;
    END IF;
END
$$;
