"""Every word that is shown, in one place: English first, Chinese second."""

import re

from leffa.config import Garment
from leffa.preprocess.advice import LOOKS, NO_LEGS
from leffa.preprocess.advice import TEXTS as ADVICE

LANGUAGES = {"en": "English", "zh": "中文"}

TEXTS: dict[str, tuple[str, str]] = {
    # the page
    "title": ("Leffa — try on, and see why", "Leffa — 虚拟试穿，看得见原理"),
    "tagline": ("Virtual try-on and pose transfer you can look into", "看得见原理的虚拟试穿与姿态迁移"),
    "tab_try_on": ("Try on", "试穿"),
    "tab_change_pose": ("Change pose", "换姿势"),
    "language": ("中文", "English"),
    "language_hint": ("Switch to Chinese", "切换到英文"),
    "theme": ("Light or dark", "浅色或深色"),
    "model_bundled": (
        "Small bundled model: works anywhere; what is real of the photo stays real",
        "内置小模型：任何电脑都能运行；照片中真实的部分保持真实",
    ),
    "model_viton-hd": (
        "Leffa as published, VITON-HD: photo-realistic tops",
        "Leffa 公开权重（VITON-HD）：照片级上装试穿",
    ),
    "model_dress-code": (
        "Leffa as published, DressCode: photo-realistic, every kind of garment",
        "Leffa 公开权重（DressCode）：照片级，所有服装种类",
    ),
    "model_deep-fashion": (
        "Leffa as published, DeepFashion: photo-realistic poses",
        "Leffa 公开权重（DeepFashion）：照片级姿态迁移",
    ),
    "model_more": (
        "For photo-realistic results fetch the published weights: leffa download (they need a GPU).",
        "想要照片级效果，请获取公开权重：leffa download（需要 GPU）。",
    ),
    "model_missing": (
        "No model weights are installed: clone the repository again, or run: leffa download",
        "没有安装模型权重：请重新克隆仓库，或运行：leffa download",
    ),
    "privacy": (
        "Your pictures stay in this computer's memory while the page is open, and are deleted when you "
        "leave. Nothing is sent anywhere else.",
        "页面打开期间图片只保存在运行本程序的电脑内存中，离开后即删除，不会发送到别处。",
    ),
    # try on
    "step_photo": ("Photo", "照片"),
    "hint_photo": ("one person, well visible", "一个人，清楚可见"),
    "photo_empty": ("Drop a photo here\n- or -\nClick to upload", "把照片拖到这里\n- 或 -\n点击上传"),
    "step_garment": ("Garment", "服装"),
    "hint_garment": ("on a plain ground", "最好是纯色背景"),
    "garment_empty": (
        "Drop a garment picture here\n- or -\nClick to upload",
        "把服装图片拖到这里\n- 或 -\n点击上传",
    ),
    "step_mask": ("Check mask", "检查遮罩"),
    "hint_mask": ("pink is repainted", "粉色部分会重画"),
    "step_generate": ("Generate", "生成"),
    "hint_generate": ("", ""),
    "kind": ("Kind", "种类"),
    "kind_upper": ("Top", "上装"),
    "kind_lower": ("Bottom", "下装"),
    "kind_dress": ("Dress", "连衣裙"),
    "examples_photo": ("Example people", "示例人物"),
    "examples_upper": ("Tops", "上装"),
    "examples_lower": ("Bottoms", "下装"),
    "examples_dress": ("Dresses", "连衣裙"),
    "looking": ("Looking for the person…", "正在寻找人物……"),
    "people": ("{count} people found: choose one on the mask.", "找到 {count} 个人：请在遮罩图上选择。"),
    "person_found": ("Person found.", "已找到人物。"),
    "garment_found": ("Garment read.", "已读取服装。"),
    # mask
    "mask_empty": ("Add a photo to see what will be repainted", "添加照片后可以看到将重画的部分"),
    "mask_alt": (
        "Your photo with the area to repaint in pink. Arrow keys move the brush, space paints, E switches to "
        "the eraser.",
        "您的照片，粉色为将重画的区域。方向键移动画笔，空格绘制，E 键切换橡皮。",
    ),
    "mask_alt_parts": ("The parts of the body as the model is told", "模型看到的身体部位"),
    "mask_share": ("{percent} % of the photo is repainted", "将重画照片的 {percent}%"),
    "mask_brush": ("Brush: add to the mask", "画笔：增加遮罩"),
    "mask_eraser": ("Eraser: take from the mask", "橡皮：减少遮罩"),
    "mask_undo": ("Undo (Ctrl+Z)", "撤销 (Ctrl+Z)"),
    "mask_reset": ("Remove all strokes", "清除全部笔画"),
    "mask_size": ("Brush size", "画笔大小"),
    "mask_parts": ("Body parts", "身体部位"),
    "mask_tools": ("Mask tools", "遮罩工具"),
    "mask_person": ("Person {number}", "第 {number} 个人"),
    "sleeve": ("Sleeve room", "袖长"),
    "sleeve_auto": ("Auto", "自动"),
    "sleeve_none": ("None", "无袖"),
    "sleeve_elbow": ("Elbow", "到肘"),
    "sleeve_wrist": ("Wrist", "到腕"),
    "hem": ("Hem room", "下摆"),
    "hem_auto": ("Auto", "自动"),
    "hem_waist": ("Waist", "腰"),
    "hem_hip": ("Hip", "臀"),
    "hem_knee": ("Knee", "膝"),
    "hem_ankle": ("Ankle", "踝"),
    "protect": ("Keep untouched", "保持不变"),
    "protect_hands": ("Hands", "手"),
    "protect_hair": ("Hair", "头发"),
    "protect_face": ("Face", "脸"),
    "protect_bag": ("Bag", "包"),
    # change pose
    "step_person": ("Person", "人物"),
    "hint_person": ("whose look is kept", "保留其外貌"),
    "step_pose": ("Pose", "姿势"),
    "hint_pose": ("from the gallery or a photo", "从姿势库选择或用照片"),
    "pose_empty": (
        "Drop a photo with the pose here\n- or -\nClick to upload",
        "把带姿势的照片拖到这里\n- 或 -\n点击上传",
    ),
    "step_body": ("Check body", "检查身体"),
    "hint_body": ("what the model is told", "模型得到的信息"),
    "body_empty": ("Choose a pose to see the body the model is told", "选择姿势后可以看到模型得到的身体图"),
    "pose_gallery": ("Pose gallery", "姿势库"),
    "mirror": ("Mirror the pose", "左右镜像"),
    # generate
    "pace": ("Quality", "质量"),
    "pace_fast": ("Fast", "快速"),
    "pace_balanced": ("Balanced", "均衡"),
    "pace_quality": ("Quality", "高质量"),
    "generate": ("Generate", "生成"),
    "stop": ("Stop", "停止"),
    "need_photo": ("Add a photo first.", "请先添加照片。"),
    "need_garment": ("Add a garment first.", "请先添加服装。"),
    "need_person": ("Add the person first.", "请先添加人物。"),
    "need_pose": ("Choose a pose first.", "请先选择姿势。"),
    "need_mask": ("The mask is empty: paint what is to be repainted.", "遮罩是空的：请画出要重画的部分。"),
    "ready": ("About {seconds} s on this machine.", "在这台机器上约需 {seconds} 秒。"),
    "advanced": ("More settings", "更多设置"),
    "steps": ("Steps", "步数"),
    "steps_info": ("More steps, cleaner picture, longer wait", "步数越多越干净，也越慢"),
    "guidance": ("Guidance", "引导强度"),
    "guidance_info": ("How strongly the garment is followed; 1 is off", "对服装的遵循程度；1 为关闭"),
    "rescale": ("Guidance rescale", "引导回缩"),
    "rescale_info": ("Holds contrast back at high guidance; 0 is off", "高引导时抑制对比度；0 为关闭"),
    "seed": ("Seed", "随机种子"),
    "seed_info": ("The same seed gives the same picture; -1 draws one", "相同种子得到相同图片；-1 为随机"),
    "dice": ("Random", "随机"),
    "samples": ("Pictures", "张数"),
    "samples_info": ("Several are ranked by flow score", "多张时按流评分排序"),
    # the result
    "result_empty": ("Your result will appear here", "结果会显示在这里"),
    "view_result": ("Result", "结果"),
    "view_flow": ("Flow", "流"),
    "view_warped": ("Warped", "变形服装"),
    "view_confidence": ("Confidence", "置信度"),
    "view_difference": ("Difference", "差异"),
    "viewhint_result": ("Before and after", "前后对比"),
    "viewhint_flow": (
        "Where each place looks on the reference, as colour",
        "每一处看向参考图的位置，以颜色表示",
    ),
    "viewhint_warped": ("The reference as the flow carries it into the photo", "按流把参考图搬到照片上"),
    "viewhint_confidence": ("Bright where attention is gathered in one place", "注意力集中处较亮"),
    "viewhint_difference": ("What has changed: black is untouched", "改变之处：黑色为未改动"),
    "alt_result": ("The finished picture", "完成的图片"),
    "alt_flow": ("The finished picture coloured by its attention flow", "以注意力流着色的结果"),
    "alt_warped": ("The reference warped into the photo", "变形后的参考图"),
    "alt_confidence": ("Map of how gathered attention is", "注意力集中程度图"),
    "alt_difference": ("Map of what has changed", "改变之处"),
    "alt_preview": ("The unfinished picture", "未完成的图片"),
    "alt_before": ("Your photo before", "原照片"),
    "before": ("Before", "之前"),
    "after": ("After", "之后"),
    "slider": ("Show more of the photo before, or of the result", "拖动以对比前后"),
    "views": ("Views of the result", "结果视图"),
    "progress": ("Progress", "进度"),
    "large": ("Full screen", "全屏"),
    "done": ("Seed {seed} · {steps} steps · {seconds} s", "种子 {seed} · {steps} 步 · {seconds} 秒"),
    "stopped": ("Stopped. Nothing was kept of that run.", "已停止，未保留该次结果。"),
    "waiting": ("{ahead} before you, about {seconds} s", "前面还有 {ahead} 位，约 {seconds} 秒"),
    "remaining": ("{what} · about {seconds} s left", "{what} · 约剩 {seconds} 秒"),
    "failed": (
        "Something went wrong here, not with your pictures. Please try again.",
        "程序出了问题，与您的图片无关。请再试一次。",
    ),
    "what_finding": ("Looking at the pictures", "正在分析图片"),
    "what_loading": ("Loading the model", "正在载入模型"),
    "what_painting": ("Painting, step {step} of {steps}", "正在绘制，第 {step}/{steps} 步"),
    "what_finishing": ("Finishing", "正在收尾"),
    "view_refined": ("Refined flow", "精细流"),
    "view_mass": ("Reference mass", "参考占比"),
    "view_arrows": ("Arrows", "箭头"),
    # the inspector
    "inspect_title": ("Why this result", "为什么是这个结果"),
    "inspect_invite": (
        "Click a place on the result to see where its look comes from, or on the garment to see where it "
        "went.",
        "点击结果上的位置，看它来自何处；点击服装，看它去了哪里。",
    ),
    "inspect_layer": ("Layer", "层"),
    "inspect_step": ("Step", "步"),
    "inspect_all_layers": ("all of the loss ●", "损失用到的全部 ●"),
    "inspect_all_steps": ("all of the loss ●", "损失用到的全部 ●"),
    "inspect_trained": ("trained", "训练过"),
    "inspect_alt_reference": ("The reference: garment or person", "参考图：服装或人物"),
    "inspect_pane_result": (
        "Result. Click, or move with the arrow keys, to follow a place to the reference.",
        "结果。点击或用方向键移动，追踪到参考图。",
    ),
    "inspect_pane_reference": (
        "Reference. Click, or move with the arrow keys, to see where a place went.",
        "参考图。点击或用方向键移动，查看它去了哪里。",
    ),
    "inspect_result": (
        "● marks what the Leffa loss trains: these layers, and steps below t = 500.",
        "● 表示 Leffa 损失训练的部分：这些层，以及 t < 500 的步。",
    ),
    "inspect_flow": (
        "Same colour, same cloth: the reference on the right is the legend.",
        "同色即同一处布料：右侧参考图为图例。",
    ),
    "inspect_refined": (
        "The flow that the garment was laid by: the attention's, made exact to the pixel.",
        "铺放服装所用的流：由注意力流精确到像素得到。",
    ),
    "inspect_confidence": (
        "Yellow: attention gathered in one place. Dark: scattered over the reference.",
        "黄色：注意力集中；深色：分散在参考图各处。",
    ),
    "inspect_mass": (
        "Yellow: all attention goes to the reference. Dark: the model looks at its own picture instead.",
        "黄色：注意力全在参考图；深色：模型在看自己画的图。",
    ),
    "inspect_arrows": (
        "From places of the result to the places they look at.",
        "从结果的位置指向它所看的位置。",
    ),
    "trace_found": (
        "This place looks at the ringed spot, {spread} % of the reference's width wide, with {mass} % of its "
        "attention.",
        "此处看向圈内位置：宽为参考图的 {spread}%，占其注意力的 {mass}%。",
    ),
    "trace_outside": (
        "Outside the mask: these pixels are your photo's own.",
        "在遮罩之外：这些像素来自原照片。",
    ),
    "trace_landed": (
        "This spot went to the marked place ({share} % of it to the largest mark).",
        "此处去了标记的位置（最大标记占 {share}%）。",
    ),
    "trace_unused": ("No place of the result looks here.", "结果中没有位置看向这里。"),
    "scatter": (
        "Attention is scattered on {parts}: try a larger mask or more steps.",
        "注意力分散在{parts}：试试更大的遮罩或更多步数。",
    ),
    "scatter_part": ("the {part} ({share} % of its area)", "{part}（面积的 {share}%）"),
    "and": (" and ", "和"),
    "cloth_torso": ("body of the garment", "衣身"),
    "cloth_left_arm": ("left sleeve", "左袖"),
    "cloth_right_arm": ("right sleeve", "右袖"),
    "cloth_left_leg": ("left leg", "左裤腿"),
    "cloth_right_leg": ("right leg", "右裤腿"),
    "body_torso": ("torso", "躯干"),
    "body_left_arm": ("left arm", "左臂"),
    "body_right_arm": ("right arm", "右臂"),
    "body_left_leg": ("left leg", "左腿"),
    "body_right_leg": ("right leg", "右腿"),
    "score": ("Flow score {score}", "流评分 {score}"),
    # the mask doctor: the library's own sentences
    "doctor_sleeve": (ADVICE["sleeve"], "这件服装的袖子到{length}，而遮罩更短。"),
    "doctor_hem": (ADVICE["hem"], "这件服装长到{length}，而遮罩更短。"),
    "doctor_kind_other": (
        ADVICE["kind_other"],
        "从轮廓看，这件服装是{looks}，现按“{kind}”处理：请改选“{other}”。",
    ),
    "doctor_on_side": (ADVICE["on_side"], "照片里的人是横着的：如果照片应当竖直，请先旋转。"),
    "doctor_upside_down": (ADVICE["upside_down"], "照片里的人是倒着的：如果照片应当竖直，请先旋转。"),
    "doctor_cut_at_hips": (ADVICE["cut_at_hips"], "照片只到臀部以上：连衣裙只能画出上半部分。"),
    "doctor_cut_at_knees": (ADVICE["cut_at_knees"], "照片只到膝盖或膝盖以上：服装只画到能看见的腿部为止。"),
    "doctor_sits": (ADVICE["sits"], "照片里的人坐着，或腿朝向镜头：这样的腿画得不好。"),
    "doctor_no_legs": (NO_LEGS, "照片里看不到臀部和腿：裤子和裙子需要能看到它们的照片，或请改选服装种类。"),
    "doctor_worn": (ADVICE["worn"], "服装图片里有人穿着它：从其身上取下属于“{kind}”的部分。"),
    "doctor_change_kind": ("Change the kind", "更改种类"),
    "looks_upper": (LOOKS[Garment.UPPER], "上装"),
    "looks_lower": (LOOKS[Garment.LOWER], "裤子或裙子"),
    "looks_dress": (LOOKS[Garment.DRESS], "连衣裙"),
    "doctor_mend": ("Extend the mask", "延长遮罩"),
    "length_elbow": ("elbow", "肘部"),
    "length_wrist": ("wrist", "手腕"),
    "length_waist": ("waist", "腰部"),
    "length_hip": ("hip", "臀部"),
    "length_knee": ("knee", "膝部"),
    "length_ankle": ("ankle", "脚踝"),
    # session
    "history": ("Your runs", "历史记录"),
    "history_hint": (
        "Every run is kept here while the page is open: pick one to bring all of its settings back. A PNG "
        "downloaded from here does the same on another day.",
        "页面打开期间，每次结果都保存在这里：点击即可恢复其全部设置。从这里下载的 PNG 日后也能恢复。",
    ),
    "restore_png": ("Restore from a PNG", "从 PNG 恢复"),
    "download": ("Download", "下载"),
    "pass_change_pose": ("Change pose of this", "给它换姿势"),
    "pass_try_on": ("Try on this", "在它上面试穿"),
    "made_here": (
        "Made with Leffa: its whole run can be brought back.",
        "由 Leffa 生成：可以恢复其全部设置。",
    ),
    "made_here_act": ("Restore its run", "恢复"),
    "restored": ("Run restored.", "已恢复。"),
    "restored_weights": (
        "It was made with other weights; the result will differ.",
        "它使用了其他权重，结果会不同。",
    ),
    "restored_missing": (
        "Settings restored; add the same picture again: {slots}.",
        "设置已恢复；请再次添加同一图片：{slots}。",
    ),
    "restored_same": ("The same picture as in the restored run.", "与恢复的记录是同一图片。"),
    "restored_other": (
        "Not the picture of the restored run; the result will differ.",
        "不是恢复记录中的图片，结果会不同。",
    ),
    "no_record": (
        "This picture carries no run: use a PNG downloaded from here.",
        "此图片不含记录：请使用从这里下载的 PNG。",
    ),
    "slot_photo": ("photo", "照片"),
    "slot_garment": ("garment", "服装"),
    "slot_person": ("person", "人物"),
    "slot_pose": ("pose", "姿势"),
    # errors by kind, where Chinese readers would else get English
    "error_PersonError": (
        "{text}",
        "图中没有找到清楚可见的人物：请换一张人物完整、清晰的照片。",
    ),
}


def say(language: str, key: str, **values: object) -> str:
    """A text in a language, with its places filled in. Unknown languages read English."""
    english, chinese = TEXTS[key]
    text = chinese if language == "zh" else english
    return text.format(**values) if values else text


def words(language: str, keys: dict[str, str]) -> dict[str, str]:
    """Texts for a component: its own names to the texts of these keys, places left open."""
    return {name: say(language, key) for name, key in keys.items()}


def preferred(accepted: str | None) -> str:
    """The language to begin with, from a browser's Accept-Language."""
    for part in (accepted or "").split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return "en"


_STEP = re.compile(r"painting, step (\d+) of (\d+)")


def doing(language: str, what: str) -> str:
    """What the engine says it is doing, in a language."""
    if found := _STEP.fullmatch(what):
        return say(language, "what_painting", step=found[1], steps=found[2])
    for word in ("finding", "loading", "finishing"):
        if what.startswith(word):
            return say(language, f"what_{word}")
    return what


def problem(language: str, error: Exception) -> str:
    """What a user is told of an error of the library."""
    text = str(error)
    key = f"error_{type(error).__name__}"
    if language == "zh" and key in TEXTS:
        text = say(language, key, text=text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "。")) else ".")
