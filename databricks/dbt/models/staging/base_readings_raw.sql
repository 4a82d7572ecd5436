{{ readings_of('raw') }}
