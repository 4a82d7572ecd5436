{{ readings_of('emergency') }}
