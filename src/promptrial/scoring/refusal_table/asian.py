"""Refusals in languages of Asia and Africa, some of them written without spaces."""

# ruff: noqa: E501, RUF001 - one phrase a line, in letters that look like others

from __future__ import annotations

from promptrial.scoring.refusal_table.language import Language

__all__ = [
    "ARABIC",
    "CHINESE",
    "HEBREW",
    "HINDI",
    "INDONESIAN",
    "JAPANESE",
    "KOREAN",
    "PERSIAN",
    "THAI",
    "TURKISH",
    "VIETNAMESE",
]

TURKISH = Language(
    triggers=(
        "bilmiyorum bilmiyoruz bilinmiyor belirtilmemiş belirtilmemiştir belirtilmiyor bahsedilmiyor bahsedilmemiş"
        " bahsedilmemektedir söylenmiyor verilmemiş verilmemiştir yok yoktur belirsiz değil değilim belirlenemez"
        " cevaplanamaz belirtmiyor bahsetmiyor söylemiyor yanıtlanamaz veremiyorum edilmemiş yer fikrim bilgim içermiyor"
    ),
    refusals="""
[ben|bunu|cevabı|bunun cevabını|üzgünüm|…] (bilmiyorum|bilmiyoruz)
[bu|…] bilinmiyor
[{basis}] [bu|bu bilgi|bundan|bu konu|buna|…] [{basis}] (belirtilmemiş|belirtilmemiştir|belirtilmiyor|bahsedilmiyor|bahsedilmemiş|bahsedilmemektedir|söylenmiyor|verilmemiş|verilmemiştir|yer almıyor|yazmıyor|geçmiyor)
[{basis}] [bu konuda|…] (bilgi|bilgim|fikrim|cevap|yeterli bilgi|hiçbir bilgi|hiçbir fikrim) (yok|yoktur|bulunmuyor|verilmemiş)
[metin|pasaj|parça] [bunu|bundan|bu konuda|…] (belirtmiyor|bahsetmiyor|söylemiyor|bilgi vermiyor|içermiyor)
[bu soru|soru|cevap|bu|…] [{basis}] (cevaplanamaz|belirlenemez|yanıtlanamaz|belirsiz|belli değil|belirli değil)
(belirsiz|bilinmiyor|emin değilim)
""",
    fillers="""
(üzgünüm|maalesef|ne yazık ki|özür dilerim|kusura bakmayın)
{basis}
[kısa] cevap
""",
    joints="ama çünkü ve fakat",
    committing="ama|belki|muhtemelen|sanırım|fakat|galiba|çünkü|ancak",
    pieces={
        "basis": "[verilen|bu] (metinde|pasajda|parçada|metne göre|pasaja göre|bağlamda|paragrafta|makalede|metinden)"
    },
)

ARABIC = Language(
    triggers="لا لم ليس ليست غير لست آسف مجهول يمكن",
    refusals="""
[أنا] لا (أعرف|أعلم|ادري|أدري) [الإجابة|الجواب|ذلك|إجابة|هذا] [من …|متى …|أين …|ما …|…]
لا (أعرف|أعلم) [الإجابة على هذا السؤال|الإجابة عن هذا السؤال]
ليس لدي [أي] (فكرة|معلومات|معلومات كافية|علم) [عن …|حول …]
(لا توجد|ليست هناك|لا يوجد|لا تتوفر|لا تتوافر) [أي] (معلومات|معلومات كافية|إجابة|ذكر|جواب) [عن …|حول …|في …|ل …] [{basis}]
لم (يذكر|يذكر ذلك|ترد|يرد|يحدد|تذكر|يتم ذكر|يتم ذكره|يتم ذكر ذلك|يتم تحديد|يتم تحديده|يرد ذكر) [ذلك|هذا|…] [{basis}]
{source} (لا|لم) (يذكر|يقول|يحدد|يوضح|يحتوي|يشير|يتضمن|تذكر|تقول|يوفر) [ذلك|على …|إلى …|…]
لا (يذكر|يقول|يحدد|يوضح|يحتوي|يشير) {source} [ذلك|على …|إلى …|…]
(غير معروف|غير مذكور|غير محدد|غير معلوم|مجهول|غير واضح|غير متوفر|لا إجابة|غير مذكورة|غير معروفة) [{basis}]
لا يمكن (تحديد|معرفة|الإجابة|تحديد ذلك|معرفة ذلك) [على …|عن …|…] [{basis}]
لا (أستطيع|يمكنني) (الإجابة|المساعدة|تحديد|معرفة) […]
لست (متأكدا|متأكدة|واثقا|متأكد)
""",
    fillers="""
(آسف|آسفة|عذرا|للأسف|أعتذر|مع الأسف|معذرة)
{basis}
(الإجابة|الجواب|إجابة)
""",
    joints="لكن ولكن لأن و",
    committing="لكن|ولكن|ربما|أظن|أعتقد|لأن|قد يكون|لعل",
    pieces={
        "source": "(النص|المقطع|السياق|الفقرة|المقال|المقالة|الوثيقة) [المقدم|المعطى|المذكور]",
        "basis": "(في|من|وفقا ل|بناء على|حسب|وفق) {source}|(بالنص|للنص)",
    },
)

HINDI = Language(
    triggers="नहीं अज्ञात नही पता असंभव",
    refusals="""
[क्षमा करें] [मुझे|मैं] [इसका|यह|ये|इस|इसके बारे में|उत्तर|इसका उत्तर] (नहीं|नही) (पता|मालूम|जानता|जानती|ज्ञात) [है|हूँ|हूं]
[मुझे|हमें] [यह|इसका उत्तर|इसके बारे में] (पता|मालूम|ज्ञात) (नहीं|नही) [है]
[{basis}] [इसका|यह|इस बात का|इसके बारे में|इसकी|यह जानकारी|…] [{basis}] [कोई] (उल्लेख|जानकारी|जिक्र|ज़िक्र|उत्तर|वर्णन) नहीं [किया गया|दी गई|दिया गया|मिलता|मिलती] [है]
{basis} [यह|इसके बारे में|…] (नहीं|नही) (बताया|कहा|दिया|दी) [गया|गई] [है]
(अज्ञात|ज्ञात नहीं|उल्लेख नहीं|पता नहीं|कोई जानकारी नहीं|उपलब्ध नहीं) [है]
[इसका|यह|इस प्रश्न का|…] [उत्तर] (नहीं|नही) (दिया जा सकता|बताया जा सकता|निर्धारित किया जा सकता|दे सकता|दे सकती) [है|हूँ|हूं]
""",
    fillers="""
(माफ़ कीजिए|माफ कीजिए|क्षमा करें|खेद है|मुझे खेद है|दुर्भाग्य से|माफ़ करें|माफ करें)
{basis}
उत्तर
""",
    joints="लेकिन क्योंकि और पर",
    committing="लेकिन|शायद|क्योंकि|परंतु|मगर|संभवतः",
    pieces={"basis": "[दिए गए|इस|उपरोक्त] (गद्यांश|पाठ|अनुच्छेद|लेख|संदर्भ|पैराग्राफ) (में|से|के अनुसार|के आधार पर)"},
)

VIETNAMESE = Language(
    triggers="không chưa",
    refusals="""
[tôi|mình|em] không (biết|rõ|chắc|chắc chắn) [câu trả lời|điều đó|điều này|ai …|khi nào …|ở đâu …]
{source} không (đề cập|nói|nêu|cung cấp|cho biết|nhắc|nhắc đến|đề cập đến|đề cập tới|nói rõ|chứa) [điều này|điều đó|đến …|tới …|về …|thông tin …|…]
không (có|đủ) (thông tin|câu trả lời|đề cập|dữ liệu) [về …|để …|trong …|nào …]
không được (đề cập|nêu|nói đến|nhắc đến|cung cấp) [{basis}]
[điều này|thông tin này|…] không được (đề cập|nêu|nói đến|nhắc đến|cung cấp|biết) [{basis}]
không (xác định|rõ|thể xác định|thể trả lời|có|biết) [được|câu hỏi|câu hỏi này|thông tin]
[tôi] không thể (trả lời|xác định|giúp|biết) [câu hỏi này|điều này|…]
""",
    fillers="""
(xin lỗi|rất tiếc|tiếc là|tôi xin lỗi)
{basis}
(trả lời|câu trả lời|đáp án)
""",
    joints="nhưng vì và",
    committing="nhưng|có lẽ|có thể là|vì|tuy nhiên|chắc là",
    pieces={
        "source": "(đoạn văn|văn bản|bài viết|đoạn trích|ngữ cảnh|bài đọc|đoạn) [này|trên|đã cho]",
        "basis": "(trong|theo|dựa trên|dựa vào) {source}",
    },
)

INDONESIAN = Language(
    triggers="tidak tak belum",
    refusals="""
[saya|kami|aku] (tidak|tak) (tahu|mengetahui|yakin|mengerti) [jawabannya|hal itu|siapa …|kapan …|di mana …|apa …]
[hal ini|itu|ini|…] (tidak|tak) (disebutkan|dijelaskan|diketahui|dinyatakan|disebut|dijawab|dapat ditentukan|dapat dijawab|tersedia|jelas|ada) [{basis}]
{source} (tidak|tak) (menyebutkan|menjelaskan|mengatakan|memberikan|menyatakan|menyebut|memuat|mengandung) [hal ini|hal itu|siapa …|kapan …|…]
(tidak|tak) ada (informasi|jawaban|keterangan) [tentang …|mengenai …|{basis}|dalam …]
[saya] (tidak|tak) (dapat|bisa) (menjawab|menentukan|membantu) [pertanyaan ini|pertanyaan itu|itu|…]
""",
    fillers="""
(maaf|sayangnya|mohon maaf|saya minta maaf)
{basis}
(jawaban|jawabannya)
""",
    joints="tetapi tapi karena dan",
    committing="tetapi|tapi|mungkin|karena|namun|barangkali",
    pieces={
        "source": "(teks|bacaan|artikel|paragraf|konteks|dokumen) [ini|itu|tersebut|yang diberikan]",
        "basis": "(dalam|di|berdasarkan|menurut|dari) {source}",
    },
)

HEBREW = Language(
    triggers="לא אין אינני איני אינו",
    refusals="""
[אני] (לא|אינני|איני) (יודע|יודעת|בטוח|בטוחה|יודעים) [את התשובה|מי …|מתי …|איפה …|מה …]
[זה|הדבר|…] (לא|אינו|אינה) (ידוע|ידועה|צוין|צוינה|מצוין|מצוינת|נאמר|מוזכר|מוזכרת|כתוב) [{basis}]
(הטקסט|הקטע|הפסקה|המאמר) (לא|אינו|אינה) (מציין|מציינת|אומר|אומרת|מזכיר|מזכירה) […]
אין [לי] [מספיק] (מידע|תשובה|מושג) […]
לא ניתן (לקבוע|לדעת|לענות) […]
""",
    fillers="""
(מצטער|מצטערת|סליחה|לצערי)
{basis}
(תשובה|התשובה)
""",
    joints="אבל כי",
    committing="אבל|אולי|כנראה|כי|אך",
    pieces={"basis": "(בטקסט|בקטע|בפסקה|במאמר|לפי הטקסט|לפי הקטע|על פי הטקסט)"},
)

PERSIAN = Language(
    triggers="نمیدانم نمی نامشخص نشده ندارم نیست نمیدونم",
    refusals="""
[من] (نمیدانم|نمی دانم|نمیدونم|نمی دونم) [که …|چه …]
[{basis}] [به آن|به این موضوع|…] (اشاره نشده|ذکر نشده|گفته نشده|بیان نشده|مشخص نشده) [است]
(نامشخص|مشخص نیست|معلوم نیست|ذکر نشده|اطلاعاتی ندارم) [است]
""",
    fillers="""
(متأسفم|متاسفم|ببخشید|متأسفانه|متاسفانه)
{basis}
پاسخ
""",
    joints="اما چون ولی و",
    committing="اما|ولی|شاید|احتمالا|چون",
    pieces={"basis": "(در|از|بر اساس|طبق) [این] (متن|متن داده شده|پاراگراف|مقاله)"},
)

CHINESE = Language(
    spaced=False,
    triggers="\u4e00-\u9fff",
    refusals="""
[很|非常] [抱歉|对不起|對不起] [我|我们|本人] [并|真的|也|還|还|暂时|目前|實在|实在] (不知道|不清楚|不确定|不確定|不了解|不晓得|不太清楚|不太确定|无法回答|無法回答|无法确定|無法確定|没有答案|沒有答案|回答不了|答不上来) [这个|这个问题的|该|答案|这个问题|该问题|这一点|(谁|誰|什么|什麼|哪|何时|何時|为什么|為什麼|怎么|是否|如何|多少|几|关于|關於|具体|有没有) …|是谁|是誰|是什么|是什麼]
[我|我们] [并] (没有|沒有) [任何|足够的|足夠的|相关的|相關的|相关|這方面的|关于…的] (信息|資訊|资料|資料|答案|線索|线索|数据) […]
[{source}] [中|里|裡|内|內|裏] [并|並|也|均|都] [没有|沒有|未|未曾|没|沒|不] [明确|明確|直接|具体|具體] (提到|提及|说明|說明|给出|給出|提供|指出|涉及|包含|说|說|写|寫|记载|記載|交代|指明|透露|描述|告诉|告訴) [这一点|这个信息|此信息|此事|該信息|该信息|相关信息|相關資訊|…]
[{source}] [中|里|裡] (没有|沒有|无|無|缺乏) [任何|足够的|足夠的|相关|相關|相关的|关于…的|足够] (信息|資訊|资料|答案|说明|說明|内容|線索) […]
{source} [中|里|裡] (没有|沒有) …
[答案|问题|這|这|该问题|此问题|…] [从|根据|從|根據] [{source}] [中] (无法|無法|不能|难以|難以) (确定|確定|判断|判斷|回答|得知|知道|推断|推斷|确认|確認|给出|得出) [答案|…]
(未知|不明|不详|不詳|不清楚|不确定|不確定|未提及|未说明|未說明|未提到|无法确定|無法確定|无法回答|無法回答|没有提到|沒有提到|没有提及|沒有提及|没有说明|没有答案|沒有答案|无答案|無答案|不得而知|无从得知|没有信息|没有相关信息|信息不足|資訊不足|不适用|无法判断|没提到|无可奉告|答不上来)
(无法|無法|不能|难以) (从|從|根据|根據) {source} [中] (得知|确定|確定|判断|判斷|知道|推断|找到答案|看出)
(信息|資訊|资料|資料|答案|…) (未|没有|沒有) [明确|明確] (提供|提及|给出|給出|说明|說明|提到)
""",
    fillers="""
[很|非常] (抱歉|对不起|對不起|不好意思|遗憾|遺憾|很遗憾|很遺憾)
(根据|根據|从|從|按照|依据|依據|基于|基於) {source} [来看|來看|中|的内容|的信息|内容|提供的信息]
在 {source} [中|里|裡]
(答案|回答|答|简答|最终答案|答案是)
作为 [一个] [人工智能|语言模型|AI] […]
""",
    explanations="""
{source} [中] (只|仅|僅) …
(请|請) (提供|给出) …
""",
    committing="但|不过|不過|可能|也许|也許|大概|应该|應該|或许|或許|然而|因为|因為|我想|我认为|我猜",
    pieces={
        "source": (
            "[这篇|該|该|此|本|这段|這段|上述|所给|所給|给定的|給定的|提供的|原|這篇|上面的]"
            " (文章|文中|文本|段落|原文|短文|上文|文字|资料|資料|材料|内容|內容|上下文|文段|本文|文|信息|資訊|语境|篇章)"
        ),
    },
)

JAPANESE = Language(
    spaced=False,
    triggers="\u3041-\u30ff\u4e00-\u9fff",
    refusals="""
[私|私に|僕|わたし] [は|には] [それ|その答え|答え|それについて] [は|が|を|も] [よく|まったく|全く|はっきり] (わかりません|分かりません|判りません|わからない|分からない|わかりかねます|分かりかねます|知りません|知らない|存じません|わからないです|分からないです|答えられません|お答えできません|お答えいたしかねます|存じ上げません|ちょっとわかりません)
[…] (わかりません|分かりません|知りません|不明です|不明である|判断できません|特定できません|答えられません|お答えできません|わからない|分からない|断定できません|確認できません)
[{source}] [に|には|では|で|の中に|中に|中には|から|からは] [は] [その|この|それに|これに] [情報|答え|こと|記述|ついて|関する情報|ついては] [は|が|の] [明確に|具体的に] (書かれていません|書かれていない|記載されていません|記載されていない|記載がありません|記載はありません|述べられていません|述べられていない|言及されていません|言及されていない|示されていません|示されていない|記述がありません|記述はありません|含まれていません|含まれていない|明記されていません|明記されていない|触れられていません|情報はありません|情報がありません|説明されていません|読み取れません|判断できません)
[…] {source} [に|には|では|で] [は] (ありません|ない|書かれていません|載っていません|見つかりません|含まれていません)
[{source}] [に|には|では|で] […] (書かれていません|書かれていない|記載されていません|記載されていない|述べられていません|言及されていません|言及されていない|示されていません|明記されていません|記載がありません|記載はありません|記述がありません|情報がありません|情報はありません|触れられていません)
(不明|未詳|不詳|該当なし|回答なし|答えなし|記載なし|情報なし|不明です|回答不能|回答できません|言及なし|わかりません|情報がありません|十分な情報がありません|情報が不足しています)
""",
    fillers="""
(すみません|すいません|申し訳ありません|申し訳ございません|申し訳ありませんが|申し訳ございませんが|すみませんが|残念ながら|ごめんなさい|ごめん|恐れ入りますが) [が]
{source} (によると|によれば|からは|に基づくと|では|から)
[最終的な] (答え|回答|解答|答) [は]
""",
    committing="でも|しかし|たぶん|多分|おそらく|恐らく|かもしれ|と思|だが|ただし|ですが|けど",
    pieces={
        "source": "[この|その|与えられた|提供された|上記の|当該] (本文|文章|テキスト|文脈|記事|文中|段落|文書|資料|パッセージ|文|情報)",
    },
)

KOREAN = Language(
    spaced=False,
    triggers="\uac00-\ud7a3",
    refusals="""
[저는|나는|저도|전|난] [그것을|그건|답을|정답을|그|이에 대해|그에 대해|이|정확히] [잘|전혀|확실히] (모르겠습니다|모르겠어요|모르겠네요|모르겠다|모릅니다|몰라요|모른다|모르겠음|모름|모르겠군요|알지 못합니다)
[…] (모르겠습니다|모르겠어요|모릅니다)
[…] 알 수 (없습니다|없어요|없다|없음)
[{source}] [에|에는|에서|에서는|은|는|만으로는] [그|이|해당|이에 대한|그에 대한|관련|…] [내용이|내용은|정보가|정보는|이|가|은|는|에 대해] (내용이 없습니다|정보가 없습니다|언급되어 있지 않습니다|언급되지 않았습니다|언급되어 있지 않다|나와 있지 않습니다|나와 있지 않다|나오지 않습니다|명시되어 있지 않습니다|명시되지 않았습니다|언급하지 않습니다|언급이 없습니다|제공되지 않았습니다|포함되어 있지 않습니다|언급되지 않음|나와있지 않음)
[…] (언급되어 있지 않습니다|언급되지 않았습니다|나와 있지 않습니다|명시되어 있지 않습니다|명시되지 않았습니다|답할 수 없습니다|대답할 수 없습니다|답변할 수 없습니다|확인할 수 없습니다|판단할 수 없습니다|정보가 없습니다|정보가 부족합니다|확실하지 않습니다|불분명합니다)
(알 수 없음|알려지지 않음|언급되지 않음|정보 없음|해당 없음|답 없음|답변 불가|불명|미상|모름|불분명)
""",
    fillers="""
(죄송합니다|죄송하지만|죄송합니다만|미안합니다|미안해요|아쉽게도|안타깝게도|유감스럽게도)
{source} (에 따르면|에서|에 의하면|을 바탕으로)
(답|답변|정답|대답) [은|는]
""",
    committing="하지만|그러나|아마|그런데|같습니다|같아요|생각합니다|일 것",
    pieces={"source": "[이|주어진|제공된|해당|위] (본문|지문|글|텍스트|문서|문맥|기사|단락|내용|정보)"},
)

THAI = Language(
    spaced=False,
    triggers="\u0e01-\u0e4e",
    refusals="""
[ผม|ฉัน|ดิฉัน|เรา|ข้าพเจ้า] [เอง] (ไม่รู้|ไม่ทราบ|ไม่แน่ใจ|ไม่ทราบคำตอบ|ไม่รู้คำตอบ|ตอบไม่ได้|ไม่สามารถตอบได้|ไม่มีข้อมูล) [ครับ|ค่ะ|คำตอบ|คะ]
[{source}] (ไม่ได้ระบุ|ไม่ได้กล่าวถึง|ไม่ได้บอก|ไม่ระบุ|ไม่ได้ให้ข้อมูล|ไม่มีข้อมูล) [ไว้|เรื่องนี้|…]
(ไม่ระบุ|ไม่ได้ระบุ|ไม่ปรากฏ|ไม่มีข้อมูล|ไม่มีคำตอบ|ไม่ทราบแน่ชัด) [ใน{source}]
""",
    fillers="""
(ขอโทษ|ขออภัย|เสียใจด้วย) [ครับ|ค่ะ]
(คำตอบ|ตอบ) [คือ]
""",
    committing="แต่|อาจ|น่าจะ|เพราะ|คง",
    pieces={"source": "[ใน] (บทความ|ข้อความ|เนื้อเรื่อง|เนื้อหา|บริบท|ย่อหน้า) [นี้]"},
)
