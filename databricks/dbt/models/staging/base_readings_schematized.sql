{{ readings_of('schematized') }}
