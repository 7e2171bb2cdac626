"""Names that vulture takes for unused: others than the code of `bot/` read them.

Each line is an expression that uses the name. A name that nobody reads any more goes from here and from the code.
"""
# ruff: noqa: F821, B018 - names alone
# mypy: ignore-errors

# Set for a library, which reads it.
_.bit_rate  # PyAV
_.pict_type
_.pts
_.thread_count
_.thread_type
_.MAX_IMAGE_PIXELS  # Pillow
_.CHUNK_SIZE  # httpx-aiohttp
_.cookies  # httpx
_.event_hooks
_.heading_level_1  # telegramify-markdown
_.heading_level_2
_.heading_level_3
_.heading_level_4
_.unordered_list_item
_.set_default_verify_paths  # ssl

# Called by a library, by this name and with these arguments.
_.capture_signals  # uvicorn
_.main_loop
_._connection_pool_from_url  # docket
_.extract_cookies  # httpx
_.readable  # io.RawIOBase
_.seekable
_.should_exit
_.trace  # __aexit__
_.process_error  # python-telegram-bot
_.process_request
_.SERVICES  # typer, from the command line
_.trust_env_proxy  # read by its name, for the defaults of others
_.settings_cls  # pydantic-settings
_.env_settings
_.dotenv_settings
_.file_secret_settings

# Fields of a job's hash that only the scripts in `lua/` read.
_.PART_COUNT
_.IS_EDIT
_.IS_ANSWER
_.LAST_SENT_AT
_.HAS_PROMPT
_.HAS_FILE
_.OFFERED

# Tests hold generated files against them.
_.OF_A_CHAT

# The stand-ins' clients and figures, for tests and for the control APIs' JSON.
_.send_album
_.wait_calls
_.delay
_.cut_download
_.slow_download
_.move_clock
_.set_draft
_.clear_faults
_.last_message
_.charged
_.last_render
_.upload_requests
_.last_upload
_.polls
_.downloads
_.created_at
_.answer_bytes
_.chunk_size  # of a starlette file

# Fields of a job that its scripts alone read and write.
_.CHARGE
_.CREDITS

# By its value: a grammar of actions.toml names it.
_.HELLO
