CREATE DATABASE nocodb OWNER nocodb;
CREATE DATABASE _supabase OWNER supabase_admin;
