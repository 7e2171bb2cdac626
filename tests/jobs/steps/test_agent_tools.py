import pytest

from bot.jobs.steps.agent_tools import EDITING, GENERATING, LOOKING, OTHER, SOUND, stage_of

_TOOLS = {
    GENERATING: """
        generate_video generateVideo generatevideo mcp__media__generateVideo media.generate_video GENERATE_VIDEO
        generate_video_from_image generate_video_from_text generate_video_with_captions generate_video_with_audio
        generate_music_video generate_video_v2 regenerate_video generate_clips generate_scene generate_footage
        text-to-video text_to_video image2video i2v convert_image_to_video text_to_movie video_gen videogen
        start_video_generation create_video_generation_task make_video create_video produce_film
        seedance seedance_1_0_pro kling kling_image_to_video veo3 sora_create animate animate_photo generate
    """,
    SOUND: """
        generate_music generate_song generate_bgm generate_sfx generate_vocals generate_lyrics generate_melody
        generate_voice_for_video create_voiceover_video_track text_to_speech suno mcp__suno__generate music.generate
    """,
    LOOKING: """
        analyze_video understand_generated_video get_draft list_tracks getSettings mcp__timeline__read_titles
    """,
    EDITING: "edit_video trim_video add_text_to_video animate_title regenerate_draft generate_captions",
    OTHER: """
        generate_image generate_image_v2 kling_image generate_video_thumbnail generate_video_script video_to_text
        generate_transition generate_avatar generate_summary generate_download_link generate_report
        check_video_generation get_generated_videos estimate_video_generation_cost render_video create_clip
        execute_task run_executor generate_asset generateMediaAssets shortcut
        create_video_project new_video_session create_video_session convert_video convert_video_format
    """,
}


@pytest.mark.parametrize(
    ("tool", "stage"), [(tool, stage) for stage in _TOOLS for tool in _TOOLS[stage].split()]
)
def test_a_name_says_what_a_tool_makes(tool: str, stage: str) -> None:
    assert stage_of(tool)[0] == stage
